#include "linear/rsr_weight.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/cpu.h"
#include "linear/rsr_choice.h"
#include "linear/tune_cache.h"
#include "segment/multiply.h"

namespace rsr::linear {
namespace {

using base::error;

/// k as asked for, as rsr tune measured it, or the best by estimate.
Result<int> block_rows(const RsrQuestion& q, int k) {
  if (k < 0) return error(ErrorCode::invalid_argument, "k: ", k, " is negative");
  if (k == 0) {
    const bool binary = q.alphabet == segment::Alphabet::binary;
    const auto measured = tuning_for(q.isa).rsr_k({binary, q.form, q.rows, q.tile_cols, 0});
    // rsr tune measures with integers; floats have another index, and another best k.
    return measured && !q.floats ? *measured : choose_block_rows(q);
  }
  RSR_RETURN_IF_ERROR(segment::check_form(q.form, q.alphabet, k));
  return k;
}

Result<RsrWeight::Index> build_index(const segment::RowSource& source, const RsrQuestion& q,
                                     int64_t cols, const segment::BuildOptions& options) {
  if (choose_index(q, options.k) == RsrIndex::lanes) {
    RSR_ASSIGN_OR_RETURN(auto lanes,
                         segment::build_lanes(source, q.rows, cols, options, kMostLaneBits));
    if (lanes) return RsrWeight::Index(*std::move(lanes));
  }
  RSR_ASSIGN_OR_RETURN(auto groups, segment::build(source, q.rows, cols, options));
  return RsrWeight::sliced(std::move(groups), q);
}

}  // namespace

RsrWeight::Index RsrWeight::sliced(segment::ColumnGroups groups, const RsrQuestion& question) {
  const bool pattern_order = groups.order == segment::Order::pattern_value;
  if (choose_index(question, groups.k) == RsrIndex::groups || !pattern_order ||
      groups.k > segment::max_k(RsrForm::fold, groups.alphabet) || !segment::can_slice(groups)) {
    return groups;
  }
  return segment::slice(groups);
}

RsrWeight::RsrWeight(Index index, RsrForm form, bool signs, matrix::ColumnLayout layout)
    : index_(std::move(index)),
      form_(form),
      signs_(signs),
      layout_(layout),
      lane_form_(form, alphabet(), std::min(k(), segment::max_lane_k(alphabet()))) {}

Result<RsrWeight> RsrWeight::build(const MatrixView& matrix, const matrix::RowReader& values,
                                   const PrepareOptions& options, int64_t group_size) {
  using Kind = MatrixView::Kind;
  if (group_size > segment::kMaxTileCols) {
    return error(ErrorCode::limit_exceeded, "group_size: ", group_size,
                 "; RSR takes groups of at most ", segment::kMaxTileCols, " columns");
  }
  const bool signs = matrix.kind() == Kind::signs || matrix.kind() == Kind::sign_bits;
  RSR_ASSIGN_OR_RETURN(const base::Isa isa, base::choose_isa(options.isa));
  const RsrQuestion question{
      isa,
      options.form,
      matrix.is_binary() ? segment::Alphabet::binary : segment::Alphabet::ternary,
      matrix.rows(),
      group_size > 0 ? group_size : matrix.cols(),
      options.inputs == Inputs::floats};
  segment::BuildOptions build;
  build.alphabet = question.alphabet;
  build.order = segment::required_order(options.form);
  // Tiles of the most columns that slices can have, unless scales say otherwise.
  build.tile_cols = group_size > 0 ? group_size : segment::kMaxSliceCols;
  RSR_ASSIGN_OR_RETURN(build.k, block_rows(question, options.k));
  const segment::RowSource source = [&](int64_t row, int8_t* out) {
    values.read(row, out);
    for (int64_t c = 0; signs && c < matrix.cols(); ++c) out[c] = out[c] > 0 ? 1 : 0;
  };
  RSR_ASSIGN_OR_RETURN(Index index, build_index(source, question, matrix.cols(), build));
  return RsrWeight(std::move(index), options.form, signs,
                   matrix::ColumnLayout(matrix.cols(), group_size, 1));
}

Result<RsrWeight> RsrWeight::restored(Index index, RsrForm form, bool signs, int64_t group_size) {
  const bool lanes = std::holds_alternative<segment::LaneGroups>(index);
  matrix::ColumnLayout layout(std::visit([](const auto& i) { return i.cols; }, index), group_size,
                              1);
  RsrWeight weight(std::move(index), form, signs, layout);
  if (signs && weight.alphabet() != segment::Alphabet::binary) {
    return error(ErrorCode::corrupt_data, "a matrix of signs is stored as a binary one");
  }
  RSR_RETURN_IF_ERROR(segment::check_form(form, weight.alphabet(), weight.k()));
  if (lanes && form == RsrForm::gray) {
    return error(ErrorCode::corrupt_data, "lanes have no Gray order");
  }
  // With scales per group of columns a tile of the index is such a group.
  const bool grouped = weight.layout().segments() > 1;
  if (grouped && weight.tile_cols() != group_size) {
    return error(ErrorCode::corrupt_data, "groups of ", group_size,
                 " columns, and an index in tiles of ", weight.tile_cols());
  }
  return weight;
}

}  // namespace rsr::linear
