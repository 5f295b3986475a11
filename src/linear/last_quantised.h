// Layers that read one input share its quantisation, without knowing of each other.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>

#include "base/aligned.h"
#include "rsr/linear.h"

namespace rsr::linear {

/// Products that quantise their inputs unless these are the last product's: equal floats, bit for
/// bit. The key is the floats themselves, of which it keeps a copy, never where they lie or who
/// asks. So results cannot depend on it, whatever happens to the memory in between.
class LastQuantised {
 public:
  /// Larger inputs are not kept: quantising them is a smaller share of their product than it is
  /// worth to copy and compare them.
  static constexpr size_t kMostFloats = size_t{16} << 10;

  /// The bits of multiply_quantised() with this weight, and the errors of multiply().
  Status multiply(const Context& context, const Weight& weight, std::span<const float> x,
                  std::span<float> y);

  /// How often it had to quantise.
  int64_t made() const { return made_; }

 private:
  Result<QuantisedVectors> quantised(const Context& context, std::span<const float> x,
                                     int64_t cols);
  bool is_last(std::span<const float> x, int64_t cols) const;

  std::atomic<int64_t> made_ = 0;
  std::mutex mutex_;             // of the rest
  base::AlignedArray<float> x_;  // of `last_`; more elements may follow
  std::optional<QuantisedVectors> last_;
};

}  // namespace rsr::linear
