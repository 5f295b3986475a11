// What the self-test tries with the kernels of matrices. All memory is made here, in the parent
// process; the trials only run kernels and compare.
#include <algorithm>
#include <memory>

#include "base/aligned.h"
#include "kernels/gemm/list.h"
#include "kernels/gemm_gray/problem.h"
#include "kernels/gemm_tables/list.h"
#include "kernels/matvec/float_inputs.h"
#include "kernels/matvec/list.h"
#include "kernels/matvec/problem.h"
#include "linear/selftest_cases.h"

namespace rsr::linear {
namespace {

using base::AlignedArray;
using kernels::Problem;
using matrix::Alphabet;
using matrix::Format;
using Trial = std::function<bool()>;

/// The shapes: several tiles of rows with a rest, columns with a rest in every format, and a matrix
/// smaller than any vector.
struct Shape {
  int64_t rows;
  int64_t cols;
  int64_t group_size;
  int64_t batch;
};
constexpr Shape kShapes[] = {
    {70, 333, 0, 1}, {70, 333, 0, 13}, {5, 19, 0, 2}, {37, 300, 64, 1}, {37, 300, 64, 11}};

std::vector<Alphabet> alphabets_of(Format format) {
  if (matrix::is_ternary(format)) return {Alphabet::ternary};
  return {Alphabet::binary, Alphabet::signs};
}

/// Calls make(problem) for the matrices to try with a format.
template <class Make>
void for_each_problem(Format format, bool takes_groups, const Make& make) {
  for (const Alphabet alphabet : alphabets_of(format)) {
    for (const Shape& shape : kShapes) {
      if (shape.group_size > 0 && !takes_groups) continue;
      make(std::make_shared<Problem>(
          kernels::Values{format, alphabet, shape.rows, shape.cols, shape.group_size},
          shape.batch));
    }
  }
}

/// Integer sums where there are no groups, which plain arithmetic knows; else floats. `gray` for
/// kernels that read an index.
Trial trial_i8(const kernels::MatvecI8Kernel& kernel, const std::shared_ptr<Problem>& problem,
               const kernels::MatvecI8Kernel& reference, const kernels::GrayGroups* gray) {
  const bool grouped = problem->groups() > 1;
  const auto tile = static_cast<int>(std::min<int64_t>(problem->batch(), kernel.token_tile));
  kernels::MatvecI8 p = problem->params(tile, grouped);
  p.gray = gray;
  const auto size = static_cast<size_t>(problem->batch() * p.out.rows);
  const auto expected = std::make_shared<std::vector<int32_t>>(size);
  const auto got = std::make_shared<std::vector<int32_t>>(size);
  static_assert(sizeof(float) == sizeof(int32_t));
  const auto write_to = [&p, grouped](std::vector<int32_t>& out) {
    if (grouped) p.out.y = reinterpret_cast<float*>(out.data());
    if (!grouped) p.out.sums = out.data();
  };
  if (grouped) {
    write_to(*expected);
    reference.function(p, 0, problem->packed.tiles());
  } else {
    for (size_t i = 0; i < size; ++i) {
      const auto at = static_cast<int64_t>(i);
      (*expected)[i] = static_cast<int32_t>(problem->sum(at / p.out.rows, at % p.out.rows));
    }
  }
  write_to(*got);
  const auto scratch =
      std::make_shared<AlignedArray<uint8_t>>(static_cast<size_t>(kernel.scratch_bytes));
  p.scratch = scratch->data();
  return [problem, p, scratch, expected, got, function = kernel.function] {
    const int64_t tiles = problem->packed.tiles();
    function(p, 0, tiles / 3);
    function(p, tiles / 3, tiles);
    return same_values(*got, *expected);
  };
}

Trial trial_packed(const kernels::MatvecI8Kernel& kernel, const std::shared_ptr<Problem>& problem,
                   const kernels::MatvecI8Kernel& reference) {
  return trial_i8(kernel, problem, reference, nullptr);
}

Trial trial_f32(const kernels::MatvecF32Kernel& kernel, const std::shared_ptr<Problem>& problem,
                const kernels::MatvecF32Kernel& reference) {
  const auto inputs = std::make_shared<kernels::FloatInputs>(*problem);
  const auto size = static_cast<size_t>(problem->batch() * problem->packed.rows());
  const auto expected = std::make_shared<std::vector<float>>(size);
  const auto got = std::make_shared<std::vector<float>>(size);
  reference.function(inputs->params(*problem, problem->groups() > 1, expected->data()), 0,
                     problem->packed.tiles());
  const kernels::MatvecF32 p = inputs->params(*problem, problem->groups() > 1, got->data());
  return [problem, inputs, p, expected, got, function = kernel.function] {
    function(p, 0, problem->packed.tiles());
    return same_values(*got, *expected);
  };
}

/// Look-ups of floats, against a matvec with the same order of additions.
Trial trial_look_ups(const kernels::GemmTablesF32Kernel& kernel,
                     const std::shared_ptr<Problem>& problem,
                     const kernels::MatvecF32Kernel& reference) {
  kernels::GemmTablesF32 p;
  p.w = problem->matrix_params(false);
  p.x = problem->xf.data();
  p.x_stride = p.cols = problem->packed.cols();
  p.signs = problem->packed.alphabet() == Alphabet::signs;
  p.batch = problem->batch();
  p.out.rows = p.out.stride = problem->packed.rows();
  const auto size = static_cast<size_t>(p.batch * p.out.rows);
  const auto expected = std::make_shared<std::vector<float>>(size);
  const auto got = std::make_shared<std::vector<float>>(size);
  const auto scratch = std::make_shared<AlignedArray<uint8_t>>(kernels::kGemmTablesScratch);
  const kernels::FloatInputs inputs(*problem);
  reference.function(inputs.params(*problem, false, expected->data()), 0, problem->packed.tiles());
  p.out.y = got->data();
  p.scratch = scratch->data();
  return [problem, p, scratch, expected, got, function = kernel.function] {
    function(p, 0, problem->packed.tiles());
    return same_values(*got, *expected);
  };
}

/// The kernels of a list by format, against its reference kernel of the same format.
template <class List, class References, class MakeTrial>
void add_packed(const List& list, const References& references, const MakeTrial& make_trial,
                std::vector<SelftestCase>& cases, bool of_groups = true) {
  for (const auto& kernel : list) {
    if (!base::has_isa(kernel.isa)) continue;
    const auto* reference =
        std::find_if(std::begin(references), std::end(references), [&](const auto& other) {
          return other.format == kernel.format && other.isa == base::Isa::reference;
        });
    SelftestCase one{kernel.name, {}};
    const bool takes_groups =
        of_groups && (kernel.format == Format::t2 || kernel.format == Format::b1);
    for_each_problem(kernel.format, takes_groups, [&](const std::shared_ptr<Problem>& problem) {
      one.trials.push_back(make_trial(kernel, problem, *reference));
    });
    cases.push_back(std::move(one));
  }
}

Trial trial_gray(const kernels::GemmGrayI8Kernel& kernel, const std::shared_ptr<Problem>& problem,
                 const kernels::GrayGroups& groups) {
  const kernels::MatvecI8Kernel as_packed{
      problem->packed.format(), kernel.isa,        kernel.name,
      kernel.function,          kernel.token_tile, kernels::gray_scratch_bytes(groups)};
  return trial_i8(as_packed, problem, as_packed, &groups);
}

/// Integers as floats, whose sums are exact.
Trial trial_gray(const kernels::GemmGrayF32Kernel& kernel, const std::shared_ptr<Problem>& problem,
                 const kernels::GrayGroups& groups) {
  std::copy(problem->x.begin(), problem->x.end(), problem->xf.begin());
  kernels::GemmGrayF32 p;
  p.gray = &groups;
  p.x = problem->xf.data();
  p.x_stride = problem->packed.cols();
  p.signs = problem->packed.alphabet() == Alphabet::signs;
  p.batch = problem->batch();
  p.out.rows = p.out.stride = problem->packed.rows();
  const auto size = static_cast<size_t>(p.batch * p.out.rows);
  const auto expected = std::make_shared<std::vector<float>>(size);
  const auto got = std::make_shared<std::vector<float>>(size);
  for (int64_t i = 0; i < p.batch * p.out.rows; ++i) {
    (*expected)[static_cast<size_t>(i)] =
        static_cast<float>(problem->sum(i / p.out.rows, i % p.out.rows));
  }
  const auto scratch = std::make_shared<AlignedArray<uint8_t>>(
      static_cast<size_t>(kernels::gray_scratch_bytes(groups)));
  p.out.y = got->data();
  p.scratch = scratch->data();
  return [problem, p, scratch, expected, got, function = kernel.function] {
    function(p, 0, problem->packed.tiles());
    return same_values(*got, *expected);
  };
}

/// An index as places, and as machine code where that is allowed.
template <class List>
void add_gray(const List& list, segment::Lanes lanes, std::vector<SelftestCase>& cases) {
  for (const auto& kernel : list) {
    if (!base::has_isa(kernel.isa)) continue;
    SelftestCase one{kernel.name, {}};
    for (const bool compiled : {false, true}) {
      const auto add = [&](const std::shared_ptr<Problem>& problem) {
        const auto index = std::make_shared<kernels::GrayIndexOfProblem>(*problem, kernel.stride(),
                                                                         compiled, lanes);
        const Trial trial = trial_gray(kernel, problem, index->groups());
        one.trials.emplace_back([index, trial] { return trial(); });
      };
      for (const Format format : {Format::t2, Format::b1}) for_each_problem(format, false, add);
    }
    cases.push_back(std::move(one));
  }
}

}  // namespace

std::vector<SelftestCase> kernel_cases() {
  std::vector<SelftestCase> cases;
  add_packed(kernels::kMatvecI8, kernels::kMatvecI8, trial_packed, cases);
  add_packed(kernels::kGemmI8, kernels::kMatvecI8, trial_packed, cases);
  add_packed(kernels::kGemmTablesI8, kernels::kMatvecI8, trial_packed, cases, false);
  add_gray(kernels::kGemmGrayI8, segment::Lanes::int16, cases);
  add_gray(kernels::kGemmGrayF32, segment::Lanes::float32, cases);
  add_packed(kernels::kMatvecF32, kernels::kMatvecF32, trial_f32, cases);
  add_packed(kernels::kGemmTablesF32, kernels::kMatvecF32, trial_look_ups, cases, false);
  add_rsr_cases(cases);
  add_array_cases(cases);
  add_attention_cases(cases);
  return cases;
}

}  // namespace rsr::linear
