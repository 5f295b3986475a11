// For tests, and for the self-test: what the float kernels of a format read.
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

/// All tokens' inputs of a problem, and a matvec's parameters with them.
class FloatInputs {
 public:
  explicit FloatInputs(const Problem& problem) {
    std::vector<float> inputs;
    for (int64_t t = 0; t < problem.batch(); ++t) {
      add_inputs(problem, problem.xf.data() + t * problem.packed.cols(), inputs);
    }
    x_ = base::AlignedArray<float>(inputs.size());
    std::copy(inputs.begin(), inputs.end(), x_.data());
  }

  /// `y` [batch][rows]; `grouped`: with the problem's scales of groups.
  MatvecF32 params(const Problem& problem, bool grouped, float* y) const {
    MatvecF32 p;
    p.w = problem.matrix_params(grouped);
    p.x = x_.data();
    p.x_stride = static_cast<int64_t>(x_.size()) / problem.batch();
    p.batch = problem.batch();
    p.out.rows = p.out.stride = problem.packed.rows();
    p.out.y = y;
    return p;
  }

 private:
  base::AlignedArray<float> x_;
};

}  // namespace rsr::kernels
