// What the self-test tries with the kernels of attention.
#include <algorithm>
#include <memory>

#include "kernels/attention/problem.h"
#include "linear/selftest_cases.h"

namespace rsr::linear {
namespace {

using base::AlignedArray;
using kernels::AttentionProblem;
using kernels::KvType;
using Floats = AlignedArray<float>;

constexpr int64_t kPositions = 70;

struct Shape {
  int64_t dim;
  int64_t count;
};
constexpr Shape kShapes[] = {{20, 1}, {128, 7}};

std::shared_ptr<Floats> empty_states(const AttentionProblem& problem) {
  auto states = std::make_shared<Floats>(static_cast<size_t>(problem.state_floats()));
  problem.clear(states->data());
  return states;
}

void add_attend(std::vector<SelftestCase>& cases) {
  for (const auto& kernel : kernels::kAttend) {
    if (!base::has_isa(kernel.isa)) continue;
    SelftestCase one{kernel.name, {}};
    for (const Shape& shape : kShapes) {
      const auto problem =
          std::make_shared<AttentionProblem>(kernel.type, shape.dim, kPositions, shape.count);
      const auto expected = empty_states(*problem);
      const auto got = empty_states(*problem);
      kernels::reference_of(kernels::kAttend,
                            kernel.type)(problem->params(0, kPositions, expected->data()));
      one.trials.emplace_back([=, function = kernel.function] {
        function(problem->params(0, kPositions, got->data()));
        return same_values(*got, *expected);
      });
    }
    cases.push_back(std::move(one));
  }
}

void add_merge(std::vector<SelftestCase>& cases) {
  const auto problem = std::make_shared<AttentionProblem>(KvType::f32, 80, kPositions, 3);
  const auto from = empty_states(*problem);
  kernels::reference_of(kernels::kAttend,
                        KvType::f32)(problem->params(0, kPositions, from->data()));
  for (const auto& kernel : kernels::kMergeStates) {
    if (!base::has_isa(kernel.isa)) continue;
    const auto expected = std::make_shared<Floats>(*from);
    const auto got = std::make_shared<Floats>(*from);
    const int64_t stride = kernels::kStateHead + problem->value_stride;
    kernels::kMergeStates[0].function({from->data(), expected->data(), 3, stride});
    cases.push_back({kernel.name, {[=, function = kernel.function] {
                       function({from->data(), got->data(), 3, stride});
                       return same_values(*got, *expected);
                     }}});
  }
}

void add_append(std::vector<SelftestCase>& cases) {
  for (const auto& kernel : kernels::kKvAppend) {
    if (!base::has_isa(kernel.isa)) continue;
    // The second one is filled by the reference and then once more by the kernel.
    const auto expected = std::make_shared<AttentionProblem>(kernel.type, 20, kPositions, 1);
    const auto got = std::make_shared<AttentionProblem>(kernel.type, 20, kPositions, 1);
    std::fill_n(got->keys.data(), got->keys.size(), uint8_t{0});
    cases.push_back({kernel.name, {[=, function = kernel.function] {
                       for (int64_t p = 0; p < kPositions; ++p) function(got->params_of(p));
                       return same_values(got->keys, expected->keys) &&
                              same_values(got->values, expected->values) &&
                              same_values(got->key_scales, expected->key_scales);
                     }}});
  }
}

}  // namespace

void add_attention_cases(std::vector<SelftestCase>& cases) {
  add_attend(cases);
  add_merge(cases);
  add_append(cases);
}

}  // namespace rsr::linear
