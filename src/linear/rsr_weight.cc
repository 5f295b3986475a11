#include "linear/rsr_weight.h"

#include <utility>

#include "base/check.h"
#include "base/cpu.h"
#include "linear/tune_cache.h"
#include "segment/cost.h"
#include "segment/multiply.h"

namespace rsr::linear {
namespace {

using base::error;

/// k as asked for, as rsr tune measured it, or the cheapest for cells of `tile_cols` columns.
Result<int> choose_block_rows(const MatrixView& matrix, const PrepareOptions& options,
                              segment::Alphabet alphabet, int64_t tile_cols) {
  if (options.k < 0) return error(ErrorCode::invalid_argument, "k: ", options.k, " is negative");
  if (options.k == 0) {
    RSR_ASSIGN_OR_RETURN(const base::Isa isa, base::choose_isa(options.isa));
    const bool binary = alphabet == segment::Alphabet::binary;
    const auto measured =
        tuning_for(isa).rsr_k({binary, options.form, matrix.rows(), tile_cols, 0});
    if (measured) return *measured;
    return segment::choose_k(options.form, alphabet, matrix.rows(), tile_cols);
  }
  RSR_RETURN_IF_ERROR(segment::check_form(options.form, alphabet, options.k));
  return options.k;
}

}  // namespace

Result<RsrWeight> RsrWeight::build(const MatrixView& matrix, const matrix::RowReader& values,
                                   const PrepareOptions& options, int64_t group_size) {
  using Kind = MatrixView::Kind;
  if (group_size > segment::kMaxTileCols) {
    return error(ErrorCode::limit_exceeded, "group_size: ", group_size,
                 "; RSR takes groups of at most ", segment::kMaxTileCols, " columns");
  }
  RsrWeight weight;
  weight.form_ = options.form;
  weight.signs_ = matrix.kind() == Kind::signs || matrix.kind() == Kind::sign_bits;
  weight.layout_ = matrix::ColumnLayout(matrix.cols(), group_size, 1);
  segment::BuildOptions build;
  build.alphabet = matrix.is_binary() ? segment::Alphabet::binary : segment::Alphabet::ternary;
  build.order = segment::required_order(options.form);
  build.tile_cols = group_size;
  const int64_t tile_cols = group_size > 0 ? group_size : matrix.cols();
  RSR_ASSIGN_OR_RETURN(build.k, choose_block_rows(matrix, options, build.alphabet, tile_cols));
  const bool signs = weight.signs_;
  const segment::RowSource source = [&](int64_t row, int8_t* out) {
    values.read(row, out);
    for (int64_t c = 0; signs && c < matrix.cols(); ++c) out[c] = out[c] > 0 ? 1 : 0;
  };
  RSR_ASSIGN_OR_RETURN(weight.groups_, segment::build(source, matrix.rows(), matrix.cols(), build));
  return weight;
}

Result<RsrWeight> RsrWeight::restored(segment::ColumnGroups groups, RsrForm form, bool signs,
                                      int64_t group_size) {
  if (signs && groups.alphabet != segment::Alphabet::binary) {
    return error(ErrorCode::corrupt_data, "a matrix of signs is stored as a binary one");
  }
  RSR_RETURN_IF_ERROR(segment::check_form(form, groups.alphabet, groups.k));
  RsrWeight weight;
  weight.layout_ = matrix::ColumnLayout(groups.cols, group_size, 1);
  // With scales per group of columns a tile of the index is such a group.
  const bool grouped = weight.layout_.segments() > 1;
  if (grouped && groups.tile_cols != group_size) {
    return error(ErrorCode::corrupt_data, "groups of ", group_size,
                 " columns, and an index in tiles of ", groups.tile_cols);
  }
  weight.groups_ = std::move(groups);
  weight.form_ = form;
  weight.signs_ = signs;
  return weight;
}

}  // namespace rsr::linear
