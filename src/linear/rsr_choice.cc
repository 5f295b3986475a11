#include "linear/rsr_choice.h"

#include "segment/cost.h"
#include "segment/group_slices.h"
#include "segment/lane_groups.h"

namespace rsr::linear {

const char* index_name(RsrIndex index) {
  switch (index) {
    case RsrIndex::lanes:
      return "lanes";
    case RsrIndex::slices:
      return "slices";
    case RsrIndex::groups:
      break;
  }
  return "groups";
}

RsrIndex choose_index(const RsrQuestion& q, int k) {
  // Gray order has no use for sums in another order. The reference kernels of lanes and slices do a
  // column at a time, and are no faster than column groups.
  if (q.form == RsrForm::gray || !base::isa_includes(q.isa, base::Isa::avx2)) {
    return RsrIndex::groups;
  }
  if (!q.floats && base::isa_includes(q.isa, base::Isa::avx512vbmi) &&
      k <= segment::max_lane_k(q.alphabet) &&
      segment::lane_bits(q.alphabet, k, q.tile_cols) <= kMostLaneBits) {
    return RsrIndex::lanes;
  }
  return k <= segment::max_k(RsrForm::fold, q.alphabet) ? RsrIndex::slices : RsrIndex::groups;
}

int choose_block_rows(const RsrQuestion& q) {
  const int lane_k = segment::choose_lane_k(q.alphabet, q.rows, q.tile_cols);
  if (choose_index(q, lane_k) == RsrIndex::lanes) return lane_k;
  const int slice_k = segment::choose_slice_k(q.form, q.alphabet, q.rows, q.tile_cols);
  if (choose_index(q, slice_k) == RsrIndex::slices) return slice_k;
  return segment::choose_k(q.form, q.alphabet, q.rows, q.tile_cols);
}

}  // namespace rsr::linear
