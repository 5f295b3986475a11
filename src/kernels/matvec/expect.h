// For tests: what every int8 kernel of matvec and gemm must do.
#pragma once

#include <gtest/gtest.h>

#include <vector>

#include "base/aligned.h"
#include "kernels/matvec/problem.h"

namespace rsr::kernels {

inline std::vector<matrix::Alphabet> alphabets_of(matrix::Format format) {
  using matrix::Alphabet;
  if (matrix::is_ternary(format)) return {Alphabet::ternary};
  return {Alphabet::binary, Alphabet::signs};
}

/// Exact sums, computed in two ranges of tiles; nothing outside of them is written. `gray`: for
/// kernels that read an index of the matrix.
inline void expect_exact(const MatvecI8Kernel& kernel, Problem& problem, int token_tile,
                         const GrayGroups* gray = nullptr) {
  MatvecI8 p = problem.params(token_tile, false);
  p.gray = gray;
  std::vector<int32_t> y(static_cast<size_t>(problem.batch() * p.out.rows), 12345);
  p.out.sums = y.data();
  base::AlignedArray<uint8_t> scratch(static_cast<size_t>(kernel.scratch_bytes));
  p.scratch = scratch.data();
  const int64_t tiles = problem.packed.tiles();
  kernel.function(p, 0, tiles / 3);
  for (int64_t t = 0; t < problem.batch(); ++t) {
    for (int64_t r = tiles / 3 * kMatvecTileRows; r < p.out.rows; ++r) {
      ASSERT_EQ(y[static_cast<size_t>(t * p.out.rows + r)], 12345) << kernel.name;
    }
  }
  kernel.function(p, tiles / 3, tiles);
  for (int64_t t = 0; t < problem.batch(); ++t) {
    for (int64_t r = 0; r < p.out.rows; ++r) {
      ASSERT_EQ(y[static_cast<size_t>(t * p.out.rows + r)], problem.sum(t, r))
          << kernel.name << " " << p.out.rows << " x " << problem.packed.cols() << " token " << t
          << " of " << problem.batch() << " in tiles of " << token_tile << ", row " << r;
    }
  }
}

/// Floats with scales per token, row and group, bit for bit as the contract says.
inline void expect_scaled(const MatvecI8Kernel& kernel, Problem& problem, int token_tile,
                          bool grouped, const GrayGroups* gray = nullptr) {
  MatvecI8 p = problem.params(token_tile, grouped);
  p.gray = gray;
  const int64_t rows = p.out.rows;
  std::vector<float> token_scales;
  for (int64_t t = 0; t < problem.batch(); ++t)
    token_scales.push_back(0.3f + static_cast<float>(t));
  std::vector<float> row_scales;
  for (int64_t r = 0; r < rows; ++r) row_scales.push_back(1.7f - static_cast<float>(r) * 0.01f);
  std::vector<float> y(static_cast<size_t>(problem.batch() * rows));
  p.out.y = y.data();
  p.out.token_scales = token_scales.data();
  p.out.row_scales = grouped ? nullptr : row_scales.data();
  p.out.scale = 0.7f;
  base::AlignedArray<uint8_t> scratch(static_cast<size_t>(kernel.scratch_bytes));
  p.scratch = scratch.data();
  kernel.function(p, 0, problem.packed.tiles());
  for (int64_t t = 0; t < problem.batch(); ++t) {
    for (int64_t r = 0; r < rows; ++r) {
      float value = 0;
      for (int64_t g = 0; grouped && g < problem.groups(); ++g) {
        const auto at = static_cast<size_t>(
            (r / kMatvecTileRows * problem.groups() + g) * kMatvecTileRows + r % kMatvecTileRows);
        value += static_cast<float>(problem.sum(t, r, g)) * problem.group_scales[at];
      }
      if (!grouped) value = static_cast<float>(problem.sum(t, r));
      const float scale = grouped ? 0.7f : row_scales[static_cast<size_t>(r)];
      const float expected = value * token_scales[static_cast<size_t>(t)] * scale;
      ASSERT_EQ(y[static_cast<size_t>(t * rows + r)], expected)
          << kernel.name << " token " << t << " row " << r << (grouped ? " grouped" : "");
    }
  }
}

}  // namespace rsr::kernels
