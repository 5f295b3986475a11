// From a user's matrix to a packed weight.
#include <sstream>
#include <vector>

#include "base/check.h"
#include "linear/batch_index.h"
#include "linear/linear.h"
#include "linear/packing_isa.h"
#include "linear/planner.h"
#include "linear/selftest.h"
#include "linear/tuning.h"
#include "linear/weight.h"
#include "matrix/values.h"

namespace rsr {
namespace {

using linear::RsrWeight;
using linear::Scales;

/// The product that `automatic` means: on one vector packed codes beat RSR's index, since they are
/// read in order, and are fewer bytes (docs/negative_results.md).
constexpr Algorithm kAutomatic = Algorithm::multiply_add;

matrix::Alphabet alphabet_of(const MatrixView& matrix) {
  using Kind = MatrixView::Kind;
  if (!matrix.is_binary()) return matrix::Alphabet::ternary;
  const bool signs = matrix.kind() == Kind::signs || matrix.kind() == Kind::sign_bits;
  return signs ? matrix::Alphabet::signs : matrix::Alphabet::binary;
}

double count_zero_share(const matrix::RowReader& values, int64_t rows, int64_t cols) {
  std::vector<int8_t> row(cols);
  int64_t zeros = 0;
  for (int64_t r = 0; r < rows; ++r) {
    values.read(r, row.data());
    for (const int8_t v : row) zeros += v == 0;
  }
  return static_cast<double>(zeros) / static_cast<double>(rows * cols);
}

}  // namespace

Result<Weight> prepare(const MatrixView& matrix, const PrepareOptions& options) {
  RSR_RETURN_IF_ERROR(matrix::check_matrix(matrix, "matrix"));
  const matrix::RowReader values(matrix);
  const int64_t rows = matrix.rows();
  const int64_t cols = matrix.cols();
  RSR_ASSIGN_OR_RETURN(Scales scales, Scales::create(options, rows, cols, values.scale()));
  const int64_t group_size = scales.group_size();
  const Algorithm algorithm =
      options.algorithm == Algorithm::automatic ? kAutomatic : options.algorithm;
  const double zeros = count_zero_share(values, rows, cols);
  if (algorithm == Algorithm::rsr) {
    RSR_ASSIGN_OR_RETURN(RsrWeight packed, RsrWeight::build(matrix, values, options, group_size));
    return Weight(std::make_shared<Weight::Impl>(Weight::Impl{rows,
                                                              cols,
                                                              zeros,
                                                              std::move(scales),
                                                              std::move(packed),
                                                              options.inputs,
                                                              options.residency,
                                                              {}}));
  }
  RSR_ASSIGN_OR_RETURN(const base::Isa isa, linear::packing_isa(options.isa));
  const linear::FormatChoice choice =
      linear::choose_format({alphabet_of(matrix), options.inputs, options.residency, group_size > 0,
                             isa, linear::disabled_kernels(isa)});
  return Weight(std::make_shared<Weight::Impl>(Weight::Impl{
      rows,
      cols,
      zeros,
      std::move(scales),
      matrix::Packed(choice.format, alphabet_of(matrix), values, rows, cols, group_size),
      options.inputs,
      options.residency,
      {}}));
}

int64_t Weight::rows() const {
  return impl_->rows;
}

int64_t Weight::cols() const {
  return impl_->cols;
}

int64_t Weight::nbytes() const {
  return impl_->scales.nbytes() +
         std::visit([](const auto& packed) { return packed.nbytes(); }, impl_->packed);
}

std::string Weight::describe() const {
  std::ostringstream out;
  out.precision(3);
  const double bits = 8.0 * static_cast<double>(nbytes()) /
                      (static_cast<double>(rows()) * static_cast<double>(cols()));
  if (const auto* rsr = std::get_if<RsrWeight>(&impl_->packed)) {
    out << linear::index_name(rsr->kind()) << ", RSR " << linear::form_name(rsr->form())
        << ", k = " << rsr->k();
  } else {
    out << matrix::format_name(std::get<matrix::Packed>(impl_->packed).format())
        << ", multiply-add";
  }
  out << ", " << bits << " bits per weight";
  if (index_bytes() > 0) {
    out << " with an index for batches" << (index_->compiled() ? ", machine code" : "");
  }
  return out.str();
}

namespace linear {

Weight deep_copy(const Weight& weight) {
  auto impl = std::make_shared<Weight::Impl>(weight.impl());
  impl->scales = impl->scales.copied();
  if (auto* packed = std::get_if<matrix::Packed>(&impl->packed)) *packed = packed->copied();
  return Weight(std::move(impl));
}

double zero_share(const Weight& weight) {
  return weight.impl().zero_share;
}

}  // namespace linear

}  // namespace rsr
