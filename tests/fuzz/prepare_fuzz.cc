// Bytes of any kind of matrix: what prepare() accepts multiplies to the sums of the values that the
// reader of matrices sees, whichever algorithm computes them.
#include <fuzzer/FuzzedDataProvider.h>

#include <array>
#include <vector>

#include "fuzz.h"
#include "matrix/values.h"
#include "rsr/rsr.h"

namespace {

using Kind = rsr::MatrixView::Kind;

constexpr std::array kKinds = {Kind::ternary,      Kind::binary,    Kind::signs,
                               Kind::binary_bits,  Kind::sign_bits, Kind::packed_2bit,
                               Kind::float_absmean};
constexpr std::array kAlgorithms = {rsr::Algorithm::automatic, rsr::Algorithm::multiply_add,
                                    rsr::Algorithm::rsr};
constexpr std::array kForms = {rsr::RsrForm::scatter, rsr::RsrForm::fold, rsr::RsrForm::gray};

rsr::PrepareOptions read_options(FuzzedDataProvider* in) {
  rsr::PrepareOptions options;
  options.algorithm = in->PickValueInArray(kAlgorithms);
  options.form = in->PickValueInArray(kForms);
  options.k = in->ConsumeIntegralInRange(-1, 17);
  options.scale = in->ConsumeFloatingPoint<float>();
  return options;
}

std::vector<int32_t> multiply_plainly(const rsr::MatrixView& view, const std::vector<int8_t>& x) {
  const rsr::matrix::RowReader reader(view);
  std::vector<int8_t> row(x.size());
  std::vector<int32_t> y(static_cast<size_t>(view.rows()), 0);
  for (size_t r = 0; r < y.size(); ++r) {
    reader.read(static_cast<int64_t>(r), row.data());
    for (size_t c = 0; c < x.size(); ++c) y[r] += row[c] * x[c];
  }
  return y;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const rsr::Context context = rsr::Context::create({.threads = 1}).value();
  FuzzedDataProvider in(data, size);
  const Kind kind = in.PickValueInArray(kKinds);
  const int64_t rows =
      in.ConsumeBool() ? in.ConsumeIntegralInRange<int64_t>(1, 40) : in.ConsumeIntegral<int64_t>();
  const int64_t cols =
      in.ConsumeBool() ? in.ConsumeIntegralInRange<int64_t>(1, 300) : in.ConsumeIntegral<int64_t>();
  rsr::PrepareOptions options = read_options(&in);
  std::vector<float> scales(in.ConsumeIntegralInRange<size_t>(0, 50), 0.5f);
  if (in.ConsumeBool()) options.row_scales = scales;
  if (in.ConsumeBool()) options.group_scales = scales;
  options.group_size = in.ConsumeIntegralInRange<int64_t>(-1, 100);
  // A copy of its own, so that floats are aligned and a byte too many is seen.
  const std::vector<uint8_t> bytes = in.ConsumeRemainingBytes<uint8_t>();
  std::vector<float> floats(bytes.begin(), bytes.end());
  for (float& f : floats) f -= 128.0f;
  const bool is_float = kind == Kind::float_absmean;
  const auto view =
      rsr::make_view(kind, is_float ? static_cast<const void*>(floats.data()) : bytes.data(),
                     bytes.size(), rows, cols);
  const auto weight = rsr::prepare(view, options);
  if (!weight.ok()) return 0;
  FUZZ_CHECK(weight->rows() == rows && weight->cols() == cols && !weight->describe().empty());
  std::vector<int8_t> x(static_cast<size_t>(cols));
  for (size_t c = 0; c < x.size(); ++c) x[c] = static_cast<int8_t>(c * 37 + 11);
  std::vector<int32_t> y(static_cast<size_t>(rows));
  const rsr::Status status = rsr::multiply(context, *weight, x, y);
  FUZZ_CHECK(status.ok() || !options.group_scales.empty());
  if (status.ok()) FUZZ_CHECK(y == multiply_plainly(view, x));
  const std::vector<float> xf(x.begin(), x.end());
  std::vector<float> yf(y.size());
  FUZZ_CHECK(rsr::multiply(context, *weight, xf, yf).ok());
  return 0;
}
