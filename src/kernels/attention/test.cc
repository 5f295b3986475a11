// Every kernel of the lists: the bits of the reference, and near a softmax in double.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "base/float16.h"
#include "kernels/attention/problem.h"

namespace rsr::kernels {
namespace {

using States = base::AlignedArray<float>;

/// States of all queries over all positions, chunk by chunk.
States attend(const AttentionProblem& problem, AttendFunction* function) {
  States states(static_cast<size_t>(problem.state_floats()));
  problem.clear(states.data());
  for (int64_t first = 0; first < problem.positions; first += kChunk) {
    function(problem.params(first, std::min(kChunk, problem.positions - first), states.data()));
  }
  return states;
}

std::vector<float> floats(const States& states) {
  return {states.data(), states.data() + states.size()};
}

/// Softmax and sum over the floats that were put in, in double.
std::vector<double> expected(const AttentionProblem& p, int64_t query) {
  std::vector<double> scores(static_cast<size_t>(p.positions));
  double top = -1e300;
  for (int64_t j = 0; j < p.positions; ++j) {
    for (int64_t d = 0; d < p.dim; ++d) {
      scores[j] += static_cast<double>(p.queries[query * p.dim + d]) * p.key_rows[j * p.dim + d];
    }
    top = std::max(top, scores[j]);
  }
  double total = 0;
  std::vector<double> out(static_cast<size_t>(p.dim));
  for (int64_t j = 0; j < p.positions; ++j) {
    const double weight = std::exp(scores[j] - top);
    total += weight;
    for (int64_t d = 0; d < p.dim; ++d) out[d] += weight * p.value_rows[j * p.dim + d];
  }
  for (double& v : out) v /= total;
  return out;
}

TEST(Attention, EveryInstructionSetGivesTheBitsOfTheReference) {
  for (const KvType type : kKvTypes) {
    for (const int64_t dim : {1, 16, 20, 80, 100, 128, 512}) {
      for (const int64_t positions : {1, 15, 16, 17, 70, 256, 257, 600}) {
        for (const int64_t count : {1, 2, 3, 4, 7}) {
          if (dim == 512 && count != 3) continue;
          const AttentionProblem problem(type, dim, positions, count);
          const auto reference = floats(attend(problem, reference_of(kAttend, type)));
          for (const auto& kernel : kAttend) {
            if (kernel.type != type || !base::has_isa(kernel.isa)) continue;
            EXPECT_EQ(floats(attend(problem, kernel.function)), reference)
                << kernel.name << " " << dim << " " << positions << " " << count;
          }
        }
      }
    }
  }
}

TEST(Attention, IsASoftmaxOfTheScores) {
  for (const KvType type : kKvTypes) {
    const double tolerance = type == KvType::f32 ? 1e-5 : type == KvType::f16 ? 2e-3 : 3e-2;
    for (const int64_t positions : {1, 40, 700}) {
      const AttentionProblem problem(type, 80, positions, 5);
      const States states = attend(problem, reference_of(kAttend, type));
      for (int64_t q = 0; q < 5; ++q) {
        const float* state = states.data() + q * (kStateHead + problem.value_stride);
        const auto want = expected(problem, q);
        for (int64_t d = 0; d < 80; ++d) {
          EXPECT_NEAR(state[kStateHead + d] / state[1], want[d], tolerance) << positions;
        }
      }
    }
  }
}

TEST(Attention, AQueryHasTheSameBitsAloneAndAmongOthers) {
  for (const auto& kernel : kAttend) {
    if (!base::has_isa(kernel.isa)) continue;
    const AttentionProblem all(kernel.type, 100, 300, 9);
    const auto together = floats(attend(all, kernel.function));
    const int64_t stride = kStateHead + all.value_stride;
    for (int64_t q = 0; q < 9; ++q) {
      AttentionProblem one(kernel.type, 100, 300, 1);
      one.queries.assign(all.queries.begin() + q * 100, all.queries.begin() + (q + 1) * 100);
      // The rows differ with the number of queries drawn after them: take those of the others.
      one.keys = all.keys;
      one.values = all.values;
      one.key_scales = all.key_scales;
      one.value_scales = all.value_scales;
      const auto alone = floats(attend(one, kernel.function));
      EXPECT_TRUE(std::equal(alone.begin(), alone.end(), together.begin() + q * stride))
          << kernel.name << " " << q;
    }
  }
}

TEST(Attention, StatesOfChunksMergeToWhatOneAfterTheOtherGives) {
  for (const auto& merge : kMergeStates) {
    if (!base::has_isa(merge.isa)) continue;
    const AttentionProblem problem(KvType::f16, 80, 700, 3);
    AttendFunction* function = reference_of(kAttend, KvType::f16);
    const auto in_order = floats(attend(problem, function));
    States merged(static_cast<size_t>(problem.state_floats()));
    problem.clear(merged.data());
    for (int64_t first = 0; first < 700; first += kChunk) {
      States own(static_cast<size_t>(problem.state_floats()));
      problem.clear(own.data());
      function(problem.params(first, std::min<int64_t>(kChunk, 700 - first), own.data()));
      merge.function({own.data(), merged.data(), 3, kStateHead + problem.value_stride});
    }
    EXPECT_EQ(floats(merged), in_order) << merge.name;
  }
}

TEST(Attention, APositionsBitsInTheCacheAreTheReferences) {
  for (const auto& kernel : kKvAppend) {
    if (!base::has_isa(kernel.isa)) continue;
    for (const int64_t dim : {1, 20, 128}) {
      const AttentionProblem reference(kernel.type, dim, 37, 1);
      const AttentionProblem problem(kernel.type, dim, 37, 1, kernel.function);
      EXPECT_TRUE(std::equal(problem.keys.data(), problem.keys.data() + problem.keys.size(),
                             reference.keys.data()))
          << kernel.name;
      EXPECT_TRUE(std::equal(problem.values.data(), problem.values.data() + problem.values.size(),
                             reference.values.data()))
          << kernel.name;
      for (size_t i = 0; i < reference.key_scales.size(); ++i) {
        EXPECT_EQ(problem.key_scales[i], reference.key_scales[i]) << kernel.name;
        EXPECT_EQ(problem.value_scales[i], reference.value_scales[i]) << kernel.name;
      }
    }
  }
}

TEST(Attention, ANaNIsNeverHidden) {
  for (const auto& kernel : kAttend) {
    if (!base::has_isa(kernel.isa)) continue;
    for (const bool in_key : {false, true}) {
      AttentionProblem problem(kernel.type, 20, 50, 1);
      (in_key ? problem.key_rows : problem.value_rows)[33 * 20 + 7] = std::nanf("");
      reference_of(kKvAppend, kernel.type)(problem.params_of(33));
      const States states = attend(problem, kernel.function);
      EXPECT_TRUE(std::isnan(states[kStateHead + 7])) << kernel.name << " " << in_key;
    }
  }
}

TEST(Float16, RoundsToTheNearestHalf) {
  using base::from_f16;
  using base::to_f16;
  for (uint32_t bits = 0; bits < 0x7C00; ++bits) {  // every finite half, and between neighbours
    const float value = from_f16(static_cast<uint16_t>(bits));
    EXPECT_EQ(to_f16(value), bits);
    EXPECT_EQ(to_f16(-value), bits | 0x8000);
    const float next = bits + 1 < 0x7C00 ? from_f16(static_cast<uint16_t>(bits + 1)) : 65536.0f;
    const float middle = (value + next) / 2;  // exact; ties go to even
    EXPECT_EQ(to_f16(middle), bits + (bits & 1));
    EXPECT_EQ(to_f16(std::nextafter(middle, 0.0f)), bits);
    EXPECT_EQ(to_f16(std::nextafter(middle, 1e9f)), bits + 1);
  }
  EXPECT_EQ(to_f16(INFINITY), 0x7C00);
  EXPECT_EQ(to_f16(-1e30f), 0xFC00);
  EXPECT_TRUE(std::isnan(from_f16(to_f16(std::nanf("")))));
}

}  // namespace
}  // namespace rsr::kernels
