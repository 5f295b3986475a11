// What the self-test tries with the kernels of RSR. As in selftest_cases.cc, all memory is made in
// the parent process.
#include <algorithm>
#include <memory>

#include "base/aligned.h"
#include "kernels/lanes/problem.h"
#include "kernels/matvec/list.h"
#include "kernels/matvec/problem.h"
#include "kernels/slices/problem.h"
#include "linear/selftest_cases.h"
#include "segment/multiply.h"

namespace rsr::linear {
namespace {

using base::AlignedArray;
using kernels::Problem;
using matrix::Alphabet;
using matrix::Format;
using Trial = std::function<bool()>;

/// RSR's index: integers exactly, floats within a bound that every form keeps.
template <class X, class Y>
Trial trial_groups(void (*function)(const kernels::MatvecGroups<X, Y>&, int64_t, int64_t) noexcept,
                   RsrForm form) {
  const auto problem =
      std::make_shared<Problem>(kernels::Values{Format::t2, Alphabet::ternary, 37, 300}, 3);
  const segment::RowSource source = [&](int64_t row, int8_t* out) {
    std::copy_n(problem->w.begin() + row * 300, 300, out);
  };
  const auto groups = std::make_shared<segment::ColumnGroups>(
      segment::build(source, 37, 300, {.order = segment::required_order(form), .k = 5}).value());
  const auto scratch = std::make_shared<AlignedArray<uint8_t>>(
      static_cast<size_t>(segment::scratch_bytes(form, *groups)));
  const auto x = std::make_shared<std::vector<X>>(problem->x.begin(), problem->x.end());
  const auto y = std::make_shared<std::vector<Y>>(3 * 37);
  kernels::MatvecGroups<X, Y> p{
      groups.get(), static_cast<int>(form), 0, groups->tile_count(), x->data(), 300, 3, y->data(),
      37,           scratch->data()};
  // The inputs are whole numbers for floats, too, so that plain sums are exact.
  std::vector<Y> expected(y->size());
  for (size_t i = 0; i < expected.size(); ++i) {
    const auto at = static_cast<int64_t>(i);
    expected[i] = static_cast<Y>(problem->sum(at / 37, at % 37));
  }
  return [groups, scratch, x, y, p, expected, function] {
    function(p, 0, groups->block_count());
    return same_values(expected, *y);
  };
}

template <class List>
void add_groups(const List& list, std::vector<SelftestCase>& cases) {
  for (const auto& kernel : list) {
    if (!base::has_isa(kernel.isa)) continue;
    SelftestCase one{kernel.name, {}};
    for (const RsrForm form : {RsrForm::scatter, RsrForm::fold, RsrForm::gray}) {
      one.trials.push_back(trial_groups(kernel.function, form));
    }
    cases.push_back(std::move(one));
  }
}

/// RSR's lanes against the reference: five lines and a rest of rows, windows of full width and
/// narrower tiles.
template <class X, class Sum>
Trial trial_lanes(void (*function)(const kernels::Lanes<X, Sum>&, int64_t, int64_t) noexcept,
                  const kernels::LanesShape& shape,
                  void (*reference)(const kernels::Lanes<X, Sum>&, int64_t, int64_t) noexcept) {
  const auto problem = std::make_shared<kernels::LanesProblem>(shape);
  const auto x = std::make_shared<std::vector<X>>(problem->x.begin(), problem->x.end());
  const auto expected = std::make_shared<AlignedArray<Sum>>(problem->sum_count());
  const auto got = std::make_shared<AlignedArray<Sum>>(problem->sum_count());
  auto p = problem->params<X, Sum>(x->data());
  p.sums = expected->data();
  reference(p, 0, problem->groups.block_count());
  p.sums = got->data();
  return [problem, x, p, expected, got, function] {
    function(p, 0, problem->groups.block_count());
    return same_values(*got, *expected);
  };
}

template <class List>
void add_lanes(const List& list, std::vector<SelftestCase>& cases) {
  using segment::Alphabet;
  for (const auto& kernel : list) {
    if (!base::has_isa(kernel.isa)) continue;
    SelftestCase one{kernel.name, {}};
    for (const kernels::LanesShape& shape :
         {kernels::LanesShape{Alphabet::ternary, 4, 37, 700},
          kernels::LanesShape{Alphabet::binary, 6, 20, 300, 0, 50},
          kernels::LanesShape{Alphabet::binary, 5, 19, 200, 64, 50},
          kernels::LanesShape{Alphabet::ternary, 3, 7, 90}}) {
      one.trials.push_back(trial_lanes(kernel.function, shape, list[0].function));
    }
    cases.push_back(std::move(one));
  }
}

template <class X, class Sum>
Trial trial_slices(void (*function)(const kernels::Slices<X, Sum>&, int64_t, int64_t) noexcept,
                   void (*reference)(const kernels::Slices<X, Sum>&, int64_t, int64_t) noexcept) {
  const auto problem =
      std::make_shared<kernels::SlicesProblem>(std::vector<int64_t>{31, 30, 12, 1, 0, 7}, 500);
  const auto x = std::make_shared<std::vector<X>>(problem->x.begin(), problem->x.end());
  const auto size = static_cast<size_t>(problem->slices() * kernels::kSliceLanes);
  const auto expected = std::make_shared<AlignedArray<Sum>>(size);
  const auto got = std::make_shared<AlignedArray<Sum>>(size);
  reference(problem->params(x->data(), expected->data()), 0, problem->slices());
  return [problem, x, expected, got, function] {
    function(problem->params(x->data(), got->data()), 0, problem->slices());
    return same_values(*got, *expected);
  };
}

template <class List>
void add_slices(const List& list, std::vector<SelftestCase>& cases) {
  for (const auto& kernel : list) {
    if (!base::has_isa(kernel.isa)) continue;
    cases.push_back({kernel.name, {trial_slices(kernel.function, list[0].function)}});
  }
}

}  // namespace

void add_rsr_cases(std::vector<SelftestCase>& cases) {
  add_groups(kernels::kMatvecGroupsI8, cases);
  add_groups(kernels::kMatvecGroupsF32, cases);
  add_lanes(kernels::kLanesI8, cases);
  add_lanes(kernels::kLanesF32, cases);
  add_slices(kernels::kSlicesI32, cases);
  add_slices(kernels::kSlicesF32, cases);
}

}  // namespace rsr::linear
