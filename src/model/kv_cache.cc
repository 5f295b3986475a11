#include "model/kv_cache.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace rsr::model {
namespace {

constexpr int64_t kLine = 64;  // every part begins on a cache line

int64_t element_bytes(KvType type) {
  constexpr int64_t kBytes[] = {4, 2, 1};
  return kBytes[static_cast<int>(type)];
}

int64_t round_up(int64_t n, int64_t to) {
  return (n + to - 1) / to * to;
}

}  // namespace

const char* kv_type_name(KvType type) {
  constexpr const char* kNames[] = {"f32", "f16", "i8"};
  return kNames[static_cast<int>(type)];
}

Result<KvCache> KvCache::create(const ModelConfig& config, int64_t positions, KvType type) {
  RSR_CHECK_OP(positions, >=, 1);
  RSR_CHECK_OP(config.head_dim, <=, kernels::kMostHeadDim);
  KvCache cache;
  cache.type_ = type;
  cache.layer_heads_ = config.num_kv_heads;
  cache.heads_ = config.num_layers * config.num_kv_heads;
  cache.positions_ = positions;
  cache.dim_ = config.head_dim;
  cache.value_stride_ = round_up(config.head_dim, kernels::kKvLanes);
  // Without MAP_NORESERVE, so that the system refuses here what it could never hold.
  void* data =
      ::mmap(nullptr, cache.bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) {
    return base::error(ErrorCode::limit_exceeded, "no memory for a context of ", positions,
                       " tokens: ", cache.bytes(), " bytes: ", std::strerror(errno));
  }
  cache.data_ = static_cast<std::byte*>(data);
  return cache;
}

KvCache::KvCache(KvCache&& other) noexcept {
  *this = std::move(other);
}

KvCache& KvCache::operator=(KvCache&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(type_, other.type_);
  std::swap(heads_, other.heads_);
  std::swap(layer_heads_, other.layer_heads_);
  std::swap(positions_, other.positions_);
  std::swap(dim_, other.dim_);
  std::swap(value_stride_, other.value_stride_);
  return *this;
}

KvCache::~KvCache() {
  if (data_ != nullptr) ::munmap(data_, bytes());
}

int64_t KvCache::key_bytes() const {
  const int64_t blocks = round_up(positions_, kernels::kKvLanes);
  return round_up(blocks * dim_ * element_bytes(type_), kLine);
}

int64_t KvCache::value_bytes() const {
  return round_up(positions_ * value_stride_ * element_bytes(type_), kLine);
}

int64_t KvCache::scale_bytes() const {
  if (type_ != KvType::i8) return 0;
  return round_up(positions_, kernels::kKvLanes) * static_cast<int64_t>(sizeof(float));
}

float* KvCache::scales(std::byte* of_head, bool of_values) const {
  if (type_ != KvType::i8) return nullptr;
  std::byte* first = of_head + key_bytes() + value_bytes();
  return reinterpret_cast<float*>(first + (of_values ? scale_bytes() : 0));
}

kernels::KvChunk KvCache::chunk(int64_t layer, int64_t head, int64_t first, int64_t count) const {
  RSR_CHECK_OP(first % kernels::kKvLanes, ==, 0);
  const int64_t element = element_bytes(type_);
  std::byte* data = head_data(layer, head);
  kernels::KvChunk chunk;
  chunk.keys = data + first * dim_ * element;
  chunk.values = data + key_bytes() + first * value_stride_ * element;
  if (type_ == KvType::i8) {
    chunk.key_scales = scales(data, false) + first;
    chunk.value_scales = scales(data, true) + first;
  }
  chunk.positions = count;
  chunk.dim = dim_;
  chunk.value_stride = value_stride_;
  return chunk;
}

kernels::KvAppend KvCache::slot(int64_t layer, int64_t head, int64_t position) const {
  std::byte* data = head_data(layer, head);
  kernels::KvAppend slot;
  slot.dim = dim_;
  slot.value_stride = value_stride_;
  slot.position = position;
  slot.keys = data;
  slot.values = data + key_bytes();
  slot.key_scales = scales(data, false);
  slot.value_scales = scales(data, true);
  return slot;
}

int64_t KvCache::bytes_per_position(const ModelConfig& config, KvType type) {
  const int64_t stride = round_up(config.head_dim, kernels::kKvLanes);
  const int64_t scale = type == KvType::i8 ? 2 * static_cast<int64_t>(sizeof(float)) : 0;
  return config.num_layers * config.num_kv_heads *
         ((config.head_dim + stride) * element_bytes(type) + scale);
}

}  // namespace rsr::model
