#include "linear/rsr_choice.h"

#include "segment/cost.h"
#include "segment/lane_groups.h"

namespace rsr::linear {

bool has_lanes(const RsrQuestion& q, int k) {
  // Gray order has no use for sums without an order. The reference kernel of lanes does a byte at a
  // time, and is slower than column groups in portable form.
  return q.form != RsrForm::gray && base::isa_includes(q.isa, base::Isa::avx2) &&
         k <= segment::max_lane_k(q.alphabet) &&
         segment::lane_bits(q.alphabet, k, q.tile_cols) <= kMostLaneBits;
}

int choose_block_rows(const RsrQuestion& q) {
  const int k = segment::choose_lane_k(q.alphabet, q.rows, q.tile_cols);
  if (has_lanes(q, k)) return k;
  return segment::choose_k(q.form, q.alphabet, q.rows, q.tile_cols);
}

}  // namespace rsr::linear
