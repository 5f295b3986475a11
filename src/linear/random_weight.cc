#include "linear/random_weight.h"

#include <cmath>
#include <memory>

#include "linear/planner.h"
#include "linear/selftest.h"
#include "linear/weight.h"
#include "matrix/random_packed.h"

namespace rsr::linear {
namespace {

matrix::Format format_of(const RandomWeight& wanted) {
  return choose_format(
             {.inputs = wanted.inputs, .isa = wanted.isa, .disabled = disabled_kernels(wanted.isa)})
      .format;
}

}  // namespace

Weight random_weight(const RandomWeight& wanted) {
  // Two thirds of the values are 1 or -1.
  const auto scale = static_cast<float>(std::sqrt(1.5 / static_cast<double>(wanted.cols)));
  auto impl = std::make_shared<Weight::Impl>(
      Weight::Impl{.rows = wanted.rows,
                   .cols = wanted.cols,
                   .zero_share = 1.0 / 3,
                   .scales = Scales::restored(scale, {}, {}, 0, 0),
                   .packed = matrix::random_packed(format_of(wanted), matrix::Alphabet::ternary,
                                                   wanted.rows, wanted.cols, wanted.seed),
                   .inputs = wanted.inputs,
                   .residency = Residency::memory,
                   .notice = {}});
  return Weight(std::move(impl));
}

int64_t random_weight_bytes(const RandomWeight& wanted) {
  return matrix::Packed::bytes_needed(format_of(wanted), wanted.rows, wanted.cols, 0);
}

}  // namespace rsr::linear
