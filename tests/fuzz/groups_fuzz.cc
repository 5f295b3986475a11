// An index that is accepted is the only image of itself, multiplies in every form without reading
// outside, and all forms give the sum over its columns, one by one.
#include <vector>

#include "base/aligned.h"
#include "fuzz.h"
#include "segment/column_groups.h"
#include "segment/multiply.h"

namespace {

using namespace rsr::segment;

std::vector<int32_t> multiply_plainly(const ColumnGroups& g, const std::vector<int8_t>& x) {
  std::vector<int32_t> y(static_cast<size_t>(g.rows), 0);
  for (int64_t cell = 0; cell < g.cell_count(); ++cell) {
    const int64_t first_row = cell / g.tile_count() * g.k;
    const int64_t first_col = cell % g.tile_count() * g.tile_cols;
    int64_t place = 0;
    for (int64_t group = g.cell_groups[cell]; group < g.cell_groups[cell + 1]; ++group) {
      for (; place <= g.lasts[group]; ++place) {
        const int32_t value = x[first_col + g.columns[g.cell_columns[cell] + place]];
        for (int r = 0; r < kMaxBlockRows; ++r) {
          if (g.patterns[group] >> r & 1) y[first_row + r] += value;
          if (g.patterns[group] >> (16 + r) & 1) y[first_row + r] -= value;
        }
      }
    }
  }
  return y;
}

void check_products(const ColumnGroups& g) {
  std::vector<int8_t> x(static_cast<size_t>(g.cols));
  for (size_t c = 0; c < x.size(); ++c) x[c] = static_cast<int8_t>(c * 37 + 11);
  const std::vector<int32_t> expected = multiply_plainly(g, x);
  for (const Form form : {Form::scatter, Form::fold, Form::gray}) {
    if (!check_form(form, g.alphabet, g.k).ok()) continue;
    rsr::base::AlignedArray<std::byte> scratch(static_cast<size_t>(scratch_bytes(form, g)));
    std::vector<int32_t> y(expected.size(), -1);
    const Product<int8_t, int32_t> product{&g, x.data(), y.data(), scratch.data()};
    multiply(form, product, whole(g));
    FUZZ_CHECK(y == expected);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data), size);
  const auto groups = from_bytes(bytes);
  if (!groups.ok()) return 0;
  FUZZ_CHECK(validate(*groups).ok());
  const std::vector<std::byte> image = to_bytes(*groups);
  FUZZ_CHECK(std::equal(image.begin(), image.end(), bytes.begin(), bytes.end()));
  // Wide and empty is valid, and would only make the products slow.
  if (groups->cols <= 1 << 18) check_products(*groups);
  return 0;
}
