// Layers that read one input share its quantisation, without knowing of each other.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <span>

#include "base/aligned.h"
#include "rsr/linear.h"

namespace rsr::linear {

/// quantise() that remembers its last vectors: equal floats again, bit for bit, are the same
/// QuantisedVectors. The key is the floats themselves, of which it keeps a copy, never where they
/// lie or who asks. So results cannot depend on it, whatever happens to the memory in between.
class LastQuantised {
 public:
  /// As quantise(). Larger inputs than these are not kept: reading them twice, here and there,
  /// takes as long as quantising them.
  static constexpr size_t kMostFloats = size_t{64} << 10;
  Result<QuantisedVectors> of(const Context& context, std::span<const float> x, int64_t cols);

  /// How often it had to quantise.
  int64_t made() const;

 private:
  bool is_last(std::span<const float> x, int64_t cols) const;

  mutable std::mutex mutex_;
  base::AlignedArray<float> x_;  // of `last_`; more elements may follow
  std::optional<QuantisedVectors> last_;
  int64_t made_ = 0;
};

}  // namespace rsr::linear
