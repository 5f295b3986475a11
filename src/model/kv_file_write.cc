// Keys and values on their way into a file: straight from the cache, nothing is gathered.
#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/checksum.h"
#include "base/output_file.h"
#include "io/safetensors_writer.h"
#include "model/checked_header.h"
#include "model/kv_file.h"

namespace rsr::model {
namespace {

/// Room in the header for what is not about a single tensor, and for a tensor besides its name.
constexpr size_t kMetadataBytes = 2000;
constexpr size_t kChecksumBytes = 60;

class KvWriter {
 public:
  KvWriter(io::SafetensorsWriter writer, const KvOwner& owner, const KvCache& cache)
      : writer_(std::move(writer)), owner_(owner), cache_(cache) {}

  Status ids(std::span<const int32_t> ids) {
    count_ = static_cast<int64_t>(ids.size());
    RSR_RETURN_IF_ERROR(begin(std::string(kIdsName), io::DType::i32, {count_}));
    RSR_RETURN_IF_ERROR(put(std::as_bytes(ids)));
    end();
    return {};
  }

  Status part(int64_t layer, const KvPart& part) {
    RSR_RETURN_IF_ERROR(begin(part.tensor_name(layer), part.dtype, part.shape));
    for (int64_t head = 0; head < owner_.heads; ++head) {
      const std::byte* first = part.place(cache_.slot(layer, head, 0));
      const int64_t whole = count_ / part.unit_positions * part.unit_positions;
      const size_t bytes = part.bytes(whole);
      RSR_RETURN_IF_ERROR(put({first, bytes}));
      if (whole < count_) RSR_RETURN_IF_ERROR(put_last_block(part, first + bytes, count_ - whole));
    }
    end();
    return {};
  }

  Status finish() {
    return writer_.finish(with_header_hash(writer_.header(kv_metadata(owner_, checksums_))));
  }

 private:
  Status begin(const std::string& name, io::DType dtype, const std::vector<int64_t>& shape) {
    name_ = name;
    checksum_ = {};
    return writer_.begin(name, dtype, shape);
  }
  Status put(std::span<const std::byte> bytes) {
    checksum_.add(bytes);
    return writer_.write(bytes);
  }
  void end() { checksums_[name_] = checksum_.value(); }

  /// A block of keys of which `used` positions count: the others may hold something or nothing.
  Status put_last_block(const KvPart& part, const std::byte* block, int64_t used) {
    std::vector<std::byte> zeroed(block, block + part.unit_bytes);
    const auto element =
        static_cast<size_t>(part.unit_bytes / (owner_.head_dim * kernels::kKvLanes));
    const size_t row = element * kernels::kKvLanes;
    const size_t keep = element * static_cast<size_t>(used);
    for (size_t at = 0; at < zeroed.size(); at += row) {
      std::memset(zeroed.data() + at + keep, 0, row - keep);
    }
    return put(zeroed);
  }

  io::SafetensorsWriter writer_;
  const KvOwner& owner_;
  const KvCache& cache_;
  int64_t count_ = 0;
  std::string name_;  // of the tensor that has begun
  base::PiecewiseChecksum checksum_;
  std::map<std::string, uint64_t> checksums_;
};

size_t header_bytes(const KvOwner& owner, const std::vector<KvPart>& parts) {
  size_t bytes = kMetadataBytes + io::SafetensorsWriter::header_bytes_of(kIdsName);
  for (int64_t layer = 0; layer < owner.layers; ++layer) {
    for (const KvPart& part : parts) {
      const std::string name = part.tensor_name(layer);
      bytes += io::SafetensorsWriter::header_bytes_of(name) + name.size() + kChecksumBytes;
    }
  }
  return bytes;
}

}  // namespace

Status write_kv_file(const std::string& path, const KvOwner& owner, const KvCache& cache,
                     std::span<const int32_t> ids) {
  const auto count = static_cast<int64_t>(ids.size());
  RSR_CHECK(count >= 1 && count <= cache.positions() && cache.type() == owner.type);
  const std::vector<KvPart> parts = kv_parts(owner, count);
  RSR_ASSIGN_OR_RETURN(base::OutputFile file, base::OutputFile::replacement(path));
  RSR_ASSIGN_OR_RETURN(io::SafetensorsWriter safetensors,
                       io::SafetensorsWriter::create(std::move(file), header_bytes(owner, parts)));
  KvWriter writer(std::move(safetensors), owner, cache);
  RSR_RETURN_IF_ERROR(writer.ids(ids));
  for (int64_t layer = 0; layer < owner.layers; ++layer) {
    for (const KvPart& part : parts) RSR_RETURN_IF_ERROR(writer.part(layer, part));
  }
  return writer.finish();
}

}  // namespace rsr::model
