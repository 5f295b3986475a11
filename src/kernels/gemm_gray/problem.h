// For tests, benchmarks and the self-test: the index of a problem's matrix.
#pragma once

#include <vector>

#include "base/executable_memory.h"
#include "kernels/gemm_gray/index.h"
#include "kernels/matvec/problem.h"
#include "segment/gray_code.h"

namespace rsr::kernels {

/// What a matrix may hold, and a packed format of it.
inline constexpr matrix::Alphabet kGrayAlphabets[] = {
    matrix::Alphabet::ternary, matrix::Alphabet::binary, matrix::Alphabet::signs};
inline matrix::Format gray_format(matrix::Alphabet alphabet) {
  return alphabet == matrix::Alphabet::ternary ? matrix::Format::t2 : matrix::Format::b1;
}

/// The kernels of a list that this machine has.
template <class Kernel, size_t size>
std::vector<Kernel> kernels_here(const Kernel (&list)[size]) {
  std::vector<Kernel> all(std::begin(list), std::end(list));
  std::erase_if(all, [](const Kernel& kernel) { return !base::has_isa(kernel.isa); });
  return all;
}

/// An index as places or as machine code. `memory` is empty where the system forbids the latter.
class GrayIndexOfProblem {
 public:
  /// The values of {-1, +1} become bits.
  GrayIndexOfProblem(const Problem& problem, int stride, bool compiled,
                     segment::Lanes lanes = segment::Lanes::int16) {
    const int64_t cols = problem.packed.cols();
    const bool ternary = problem.packed.alphabet() == matrix::Alphabet::ternary;
    segment::GrayShape shape = gray_shape(ternary, problem.packed.rows(), cols, stride);
    shape.borrow = !compiled;
    index_ = segment::build_gray(shape, [&](int64_t row, int8_t* out) {
      const int8_t* values = problem.w.data() + row * cols;
      for (int64_t c = 0; c < cols; ++c) {
        out[c] = ternary ? values[c] : static_cast<int8_t>(values[c] > 0 ? 1 : 0);
      }
    });
    groups_ = gray_groups(index_);
    if (!compiled) return;
    code_ = segment::compile_gray(index_, lanes, int64_t{1} << 30);
    auto memory = base::ExecutableMemory::create(code_.code);
    if (!memory.ok()) return;
    memory_ = std::move(memory).value();
    groups_ = gray_groups(index_, memory_.data(), code_.cells);
  }

  const GrayGroups& groups() const { return groups_; }
  bool compiled() const { return groups_.code != nullptr; }
  int64_t nbytes() const {
    return compiled() ? static_cast<int64_t>(code_.code.size()) : index_.nbytes();
  }

 private:
  segment::GrayStream index_;
  segment::GrayCode code_;
  base::ExecutableMemory memory_;
  GrayGroups groups_;
};

}  // namespace rsr::kernels
