// A gate and its up in one launch, against the product and operation gate after it.
#include <gtest/gtest.h>

#include "cuda/multiply/problem_on_device.h"

namespace rsr::cuda {
namespace {

using kernels::alphabets_of;
using kernels::Problem;
using matrix::Alphabet;
using matrix::Format;

class GatedTest : public OnDevices {
 protected:
  /// The products of `p` by operations multiply and gate: [batch][rows].
  std::vector<float> wanted(const Multiply& p, const MultiplyProblem& gate) {
    run(&Operations::multiply, p);
    Gate after;
    after.gate = p.matrices[0].y;
    after.up = p.matrices[1].y;
    after.activation = p.activation;
    after.cols = p.matrices[0].rows;
    after.batch = p.batch;
    after.out.y = p.matrices[0].y;
    run(&Operations::gate, after);
    return gate.read_y();
  }

  void expect_same(Format format, int64_t rows, int64_t cols, int64_t batch) {
    const Problem of_gate({format, alphabets_of(format).back(), rows, cols}, batch);
    Problem of_up({format, alphabets_of(format).back(), rows, cols, 0, 20}, batch);
    of_up.x = of_gate.x;
    const MultiplyProblem gate(stream, of_gate, 0);
    const MultiplyProblem up(stream, of_up, 0);
    for (const GateActivation activation : {GateActivation::relu2, GateActivation::silu}) {
      SCOPED_TRACE(testing::Message() << matrix::format_name(format) << " " << rows << " x " << cols
                                      << ", " << batch << " vectors");
      Multiply p = gate.common(MultiplyWay::chosen);
      gate.add_to(p, true);
      up.add_to(p, true);
      p.matrices[0].scale = 0.01f;
      p.matrices[1].row_scales = up.row_scales();
      p.token_scales = gate.token_scales();
      p.activation = activation;
      const std::vector<float> want = wanted(p, gate);
      const std::vector<float> untouched = up.read_y();
      ASSERT_TRUE(can_gate(p));
      p.gated = true;
      run(&Operations::multiply, p);
      const std::vector<float> got = gate.read_y();
      for (size_t i = 0; i < want.size(); ++i) {
        ASSERT_EQ(std::memcmp(&got[i], &want[i], sizeof(float)), 0)
            << i << ": " << got[i] << " for " << want[i];
      }
      EXPECT_EQ(up.read_y(), untouched);
    }
  }
};

TEST_P(GatedTest, HasTheBitsOfAProductAndAGate) {
  for (const Format format : {Format::t2, Format::t5, Format::b1}) {
    for (const int64_t batch : {1, 3, 8}) {
      expect_same(format, 40, 170, batch);
      expect_same(format, 7, 700, batch);
    }
    expect_same(format, 48, 2100, 1);
    expect_same(format, 16, 1, 2);
  }
}

TEST_P(GatedTest, IsForTwoEqualShapesAndFewVectors) {
  const Problem problem({Format::t2, Alphabet::ternary, 40, 256, 64}, 3);
  const MultiplyProblem there(stream, problem, 0);
  Multiply p = there.common(MultiplyWay::chosen);
  there.add_to(p, true);
  EXPECT_FALSE(can_gate(p));
  there.add_to(p, true);
  EXPECT_TRUE(can_gate(p));
  p.batch = 9;
  EXPECT_FALSE(can_gate(p));
  p.batch = 3;
  p.matrices[1].rows = 39;
  EXPECT_FALSE(can_gate(p));
  p.count = 1;
  there.add_to(p, true, true);
  EXPECT_FALSE(can_gate(p));
}

INSTANTIATE_TEST_SUITE_P(Devices, GatedTest, testing::ValuesIn(test_devices()));

}  // namespace
}  // namespace rsr::cuda
