// Keys and values of the tokens seen so far, one sequence.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/attention/attention.h"
#include "model/config.h"
#include "rsr/status.h"

namespace rsr::model {

using kernels::KvType;

/// "f32", "f16" or "i8".
const char* kv_type_name(KvType type);

/// For each layer and each of its key heads, in the layout of kernels/attention/attention.h: keys,
/// values and, for i8, their scales. The memory is reserved at once but costs nothing until a
/// position is written, so a session may be given its whole context.
class KvCache {
 public:
  /// An error with the number of bytes when the system has not that much memory at all.
  static Result<KvCache> create(const ModelConfig& config, int64_t positions,
                                KvType type = KvType::f32);
  KvCache(KvCache&& other) noexcept;
  KvCache& operator=(KvCache&& other) noexcept;
  ~KvCache();

  int64_t positions() const { return positions_; }
  KvType type() const { return type_; }
  int64_t value_stride() const { return value_stride_; }

  /// Positions [first, first + count) of a head; `first` is a multiple of kernels::kKvLanes.
  kernels::KvChunk chunk(int64_t layer, int64_t head, int64_t first, int64_t count) const;

  /// Where a position of a head goes; key and value [head_dim] are the caller's.
  kernels::KvAppend slot(int64_t layer, int64_t head, int64_t position) const;

  /// Bytes of keys and values that one position holds over all layers.
  static int64_t bytes_per_position(const ModelConfig& config, KvType type);

 private:
  KvCache() = default;
  size_t bytes() const { return static_cast<size_t>(heads_ * head_bytes()); }
  int64_t key_bytes() const;
  int64_t value_bytes() const;
  int64_t scale_bytes() const;
  int64_t head_bytes() const { return key_bytes() + value_bytes() + 2 * scale_bytes(); }
  std::byte* head_data(int64_t layer, int64_t head) const {
    return data_ + (layer * layer_heads_ + head) * head_bytes();
  }
  float* scales(std::byte* of_head, bool of_values) const;

  std::byte* data_ = nullptr;
  KvType type_ = KvType::f32;
  int64_t heads_ = 0;  // of all layers
  int64_t layer_heads_ = 0;
  int64_t positions_ = 0;
  int64_t dim_ = 0;
  int64_t value_stride_ = 0;
};

}  // namespace rsr::model
