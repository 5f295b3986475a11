// For tests: a float kernel's product of a problem.
#pragma once

#include <algorithm>
#include <vector>

#include "base/aligned.h"
#include "kernels/matvec/problem.h"
#include "kernels/tables/list.h"

namespace rsr::kernels {

/// What kernels of a format read of one token: x itself, or tables of it, group by group.
inline void add_inputs(const Problem& problem, const float* x, std::vector<float>& out) {
  const matrix::Packed& packed = problem.packed;
  const auto& layout = packed.layout();
  if (packed.format() == matrix::Format::t2) {
    const size_t at = out.size();
    out.resize(at + static_cast<size_t>(layout.padded_cols()));
    layout.for_each_column(
        [&](int64_t c, int64_t place) { out[at + static_cast<size_t>(place)] = x[c]; });
    return;
  }
  const bool t3 = packed.format() == matrix::Format::t3;
  for (int64_t s = 0; s < layout.segments(); ++s) {
    const base::Range columns = layout.columns(s);
    const int64_t units = t3 ? layout.steps(s) : (layout.steps(s) + 1) / 2;
    base::AlignedArray<float> tables(
        static_cast<size_t>(units * (t3 ? kT3LineFloats : kB1PairFloats)));
    const TablesF32 p{x + columns.begin, columns.end - columns.begin,
                      packed.alphabet() == matrix::Alphabet::signs, tables.data()};
    (t3 ? tables_t3_f32_reference : tables_b1_f32_reference)(p, 0, units);
    out.insert(out.end(), tables.data(), tables.data() + tables.size());
  }
}

inline std::vector<float> run(const MatvecF32Kernel& kernel, Problem& problem, bool grouped) {
  std::vector<float> inputs;
  for (int64_t t = 0; t < problem.batch(); ++t) {
    add_inputs(problem, problem.xf.data() + t * problem.packed.cols(), inputs);
  }
  base::AlignedArray<float> aligned(inputs.size());
  std::copy(inputs.begin(), inputs.end(), aligned.data());
  MatvecF32 p;
  p.w = problem.matrix_params(grouped);
  p.x = aligned.data();
  p.x_stride = static_cast<int64_t>(inputs.size()) / problem.batch();
  p.batch = problem.batch();
  p.out.rows = p.out.stride = problem.packed.rows();
  std::vector<float> y(static_cast<size_t>(problem.batch() * p.out.rows), -1);
  p.out.y = y.data();
  p.out.scale = 1.0f;
  const int64_t tiles = problem.packed.tiles();
  kernel.function(p, 0, tiles / 2);
  kernel.function(p, tiles / 2, tiles);
  return y;
}

}  // namespace rsr::kernels
