// From the lanes' sums of a block (lane_groups.h) to its rows: the last step of RSR, in the two
// forms that need no order of the groups.
#pragma once

#include <array>
#include <cstdint>

#include "rsr/linear.h"
#include "segment/lane_groups.h"

namespace rsr::segment {

class LaneForm {
 public:
  /// form: scatter or fold; k at most max_lane_k().
  LaneForm(RsrForm form, Alphabet alphabet, int k);

  /// rows[k] = product of the block whose lanes have the sums[lines * 16]. Additions: scatter adds
  /// lane l to chain l % 8 of each row, in order, and then the chains 4 + 0, 5 + 1, ... as a tree;
  /// fold adds lanes with the same pattern, in order, and then folds as in cell_forms.h.
  void rows(const uint32_t* sums, uint32_t* rows) const noexcept;
  void rows(const double* sums, double* rows) const noexcept;

 private:
  static constexpr int kMaxK = 6;
  RsrForm form_;
  Alphabet alphabet_;
  int k_;
  int lanes_;
  std::array<uint8_t, kMaxLanes> codes_{};
  // Masks for integers, factors for floats: a product with -1, 0 or +1 is exact.
  std::array<std::array<uint32_t, kMaxLanes>, kMaxK> plus_{};
  std::array<std::array<uint32_t, kMaxLanes>, kMaxK> minus_{};
  std::array<std::array<double, kMaxLanes>, kMaxK> digits_{};
};

}  // namespace rsr::segment
