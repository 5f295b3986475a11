// Keys and values of the tokens seen so far, one sequence.
#pragma once

#include <cstddef>
#include <cstdint>

#include "model/config.h"
#include "rsr/status.h"

namespace rsr::model {

/// Floats [layers][positions][kv_dim], once for keys and once for values. The memory is reserved at
/// once but costs nothing until a position is written, so a session may be given its whole context.
class KvCache {
 public:
  /// An error with the number of bytes when the system has not that much memory at all.
  static Result<KvCache> create(const ModelConfig& config, int64_t positions);
  KvCache(KvCache&& other) noexcept;
  KvCache& operator=(KvCache&& other) noexcept;
  ~KvCache();

  int64_t positions() const { return positions_; }

  /// Rows of one layer, [positions][kv_dim].
  float* keys(int64_t layer) { return data_ + layer * positions_ * kv_dim_; }
  float* values(int64_t layer) { return data_ + (layers_ + layer) * positions_ * kv_dim_; }

  /// Bytes of keys and values that one position holds over all layers.
  static int64_t bytes_per_position(const ModelConfig& config);

 private:
  KvCache() = default;
  size_t bytes() const;

  float* data_ = nullptr;
  int64_t layers_ = 0;
  int64_t positions_ = 0;
  int64_t kv_dim_ = 0;
};

}  // namespace rsr::model
