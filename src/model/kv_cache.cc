#include "model/kv_cache.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace rsr::model {

Result<KvCache> KvCache::create(const ModelConfig& config, int64_t positions) {
  RSR_CHECK_OP(positions, >=, 1);
  KvCache cache;
  cache.layers_ = config.num_layers;
  cache.positions_ = positions;
  cache.kv_dim_ = config.kv_dim();
  // Without MAP_NORESERVE, so that the system refuses here what it could never hold.
  void* data =
      ::mmap(nullptr, cache.bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) {
    return base::error(ErrorCode::limit_exceeded, "no memory for a context of ", positions,
                       " tokens: ", cache.bytes(), " bytes: ", std::strerror(errno));
  }
  cache.data_ = static_cast<float*>(data);
  return cache;
}

KvCache::KvCache(KvCache&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      layers_(other.layers_),
      positions_(other.positions_),
      kv_dim_(other.kv_dim_) {}

KvCache& KvCache::operator=(KvCache&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(layers_, other.layers_);
  std::swap(positions_, other.positions_);
  std::swap(kv_dim_, other.kv_dim_);
  return *this;
}

KvCache::~KvCache() {
  if (data_ != nullptr) ::munmap(data_, bytes());
}

size_t KvCache::bytes() const {
  return static_cast<size_t>(2 * layers_ * positions_ * kv_dim_) * sizeof(float);
}

int64_t KvCache::bytes_per_position(const ModelConfig& config) {
  return 2 * config.num_layers * config.kv_dim() * static_cast<int64_t>(sizeof(float));
}

}  // namespace rsr::model
