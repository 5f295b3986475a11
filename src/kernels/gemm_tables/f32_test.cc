// Every gemm_tables kernel for floats: the bits of matvec, whose test shows the error.
#include <gtest/gtest.h>

#include <vector>

#include "kernels/gemm_tables/list.h"
#include "kernels/matvec/expect.h"
#include "kernels/matvec/float_inputs.h"

namespace rsr::kernels {
namespace {

using matrix::Format;

std::vector<GemmTablesF32Kernel> kernels() {
  std::vector<GemmTablesF32Kernel> all(std::begin(kGemmTablesF32), std::end(kGemmTablesF32));
  std::erase_if(all, [](const auto& kernel) { return !base::has_isa(kernel.isa); });
  return all;
}

/// What the reference kernel gives, with the scales that run_look_ups() uses as well.
std::vector<float> reference(Format format, const Problem& problem,
                             const std::vector<float>& row_scales) {
  const FloatInputs inputs(problem);
  std::vector<float> y(static_cast<size_t>(problem.batch() * problem.packed.rows()));
  MatvecF32 p = inputs.params(problem, false, y.data());
  p.out.row_scales = row_scales.empty() ? nullptr : row_scales.data();
  for (const auto& kernel : kMatvecF32) {
    if (kernel.format != format || kernel.isa != base::Isa::reference) continue;
    kernel.function(p, 0, problem.packed.tiles());
  }
  return y;
}

std::vector<float> run_look_ups(const GemmTablesF32Kernel& kernel, const Problem& problem,
                                const std::vector<float>& row_scales) {
  base::AlignedArray<uint8_t> scratch(kGemmTablesScratch);
  GemmTablesF32 p;
  p.w = problem.matrix_params(false);
  p.x = problem.xf.data();
  p.x_stride = p.cols = problem.packed.cols();
  p.signs = problem.packed.alphabet() == matrix::Alphabet::signs;
  p.batch = problem.batch();
  p.scratch = scratch.data();
  p.out.rows = p.out.stride = problem.packed.rows();
  std::vector<float> y(static_cast<size_t>(p.batch * p.out.rows), -1);
  p.out.y = y.data();
  p.out.row_scales = row_scales.empty() ? nullptr : row_scales.data();
  const int64_t tiles = problem.packed.tiles();
  kernel.function(p, 0, tiles / 3);
  kernel.function(p, tiles / 3, tiles);
  return y;
}

void expect_same(const GemmTablesF32Kernel& kernel, Problem& problem,
                 const std::vector<float>& row_scales = {}) {
  EXPECT_EQ(run_look_ups(kernel, problem, row_scales),
            reference(kernel.format, problem, row_scales))
      << kernel.name << " " << problem.packed.rows() << " x " << problem.packed.cols() << ", batch "
      << problem.batch();
}

TEST(GemmTablesF32, ShapesBatchesAndTails) {
  for (const auto& kernel : kernels()) {
    for (const auto alphabet : alphabets_of(kernel.format)) {
      for (const int64_t rows : {1, 33, 150}) {
        for (const int64_t cols : {1, 18, 36, 37, 64, 65, 300, 700}) {
          for (const int64_t batch : {1, 8, 15, 16, 37}) {
            Problem problem({kernel.format, alphabet, rows, cols}, batch);
            expect_same(kernel, problem);
          }
        }
      }
    }
  }
}

TEST(GemmTablesF32, MoreRowsAndTokensThanABlock) {
  for (const auto& kernel : kernels()) {
    Problem tall({kernel.format, alphabets_of(kernel.format).back(), 2600, 70}, 3);
    expect_same(kernel, tall);
    Problem wide({kernel.format, alphabets_of(kernel.format).back(), 40, 100}, 101);
    expect_same(kernel, wide);
  }
}

// Magnitudes that differ by 2^40: another order of additions would show.
TEST(GemmTablesF32, TheOrderOfAdditions) {
  for (const auto& kernel : kernels()) {
    for (const auto alphabet : alphabets_of(kernel.format)) {
      Problem problem({kernel.format, alphabet, 50, 1333}, 20);
      for (size_t i = 0; i < problem.xf.size(); ++i) {
        problem.xf[i] = std::ldexp(problem.xf[i], static_cast<int>(i * 7 % 40));
      }
      expect_same(kernel, problem);
    }
  }
}

TEST(GemmTablesF32, ScalesOfRows) {
  for (const auto& kernel : kernels()) {
    Problem problem({kernel.format, alphabets_of(kernel.format).front(), 70, 333}, 19);
    std::vector<float> scales;
    for (int r = 0; r < 70; ++r) scales.push_back(1.7f - static_cast<float>(r) * 0.01f);
    expect_same(kernel, problem, scales);
  }
}

}  // namespace
}  // namespace rsr::kernels
