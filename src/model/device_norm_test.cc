// Norms and gates against the steps that the CPU takes one after the other, bit for bit.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "cuda/test_device.h"
#include "kernels/quantize/quantize.h"
#include "model/ops.h"

namespace rsr::cuda {
namespace {

using CudaNorm = OnDevices;

constexpr float kEps = 1e-5f;

std::vector<float> random_floats(size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& v : values) v = normal(random);
  return values;
}

void expect_bits(const std::vector<float>& got, const std::vector<float>& want, const char* what) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) {
    if (std::isnan(want[i]) && std::isnan(got[i])) continue;  // whichever NaN
    ASSERT_EQ(std::memcmp(&got[i], &want[i], sizeof(float)), 0)
        << what << " [" << i << "] " << got[i] << " " << want[i];
  }
}

int64_t stride_of(int64_t cols) {
  return (cols + 127) / 128 * 128;
}

/// What the CPU makes of x': the norm, if there is one, and int8.
struct Expected {
  Expected(std::vector<float> x, const std::vector<float>& weight, int64_t batch)
      : y(std::move(x)) {
    const int64_t cols = static_cast<int64_t>(y.size()) / batch;
    for (int64_t t = 0; t < batch && !weight.empty(); ++t) {
      model::rms_norm(&y[t * cols], weight, kEps, &y[t * cols]);
    }
    q.resize(batch * stride_of(cols), -1);
    sums.resize(batch);
    inverse_scales.resize(batch);
    kernels::quantize_i8_reference(
        {y.data(), cols, q.data(), stride_of(cols), sums.data(), inverse_scales.data()}, 0, batch);
  }
  std::vector<float> y;
  std::vector<int8_t> q;
  std::vector<int32_t> sums;
  std::vector<float> inverse_scales;
};

/// Device arrays for all outputs.
struct Outputs {
  Outputs(Stream& stream, int64_t cols, int64_t batch)
      : y(stream, std::vector<float>(cols * batch, -7)),
        q(stream, std::vector<int8_t>(stride_of(cols) * batch, -1)),
        sums(stream, std::vector<int32_t>(batch, -1)),
        inverse_scales(stream, std::vector<float>(batch, -1)),
        stride(stride_of(cols)) {}
  NormOutputs params(const float* weight, bool quantised = true) const {
    if (!quantised) return {weight, kEps, y.data()};
    return {weight, kEps, y.data(), q.data(), stride, sums.data(), inverse_scales.data()};
  }
  void expect(const Expected& want) const {
    expect_bits(y.read(), want.y, "y");
    EXPECT_EQ(q.read(), want.q);
    EXPECT_EQ(sums.read(), want.sums);
    expect_bits(inverse_scales.read(), want.inverse_scales, "scales");
  }
  DeviceArray<float> y;
  DeviceArray<int8_t> q;
  DeviceArray<int32_t> sums;
  DeviceArray<float> inverse_scales;
  int64_t stride;
};

TEST_P(CudaNorm, HasTheBitsOfTheCpu) {
  for (const int cols : {1, 15, 16, 17, 100, 257, 1000, 2560}) {
    for (const int batch : {1, 3}) {
      if (cols == 2560 && batch > 1) continue;
      SCOPED_TRACE(testing::Message() << cols << " " << batch);
      const auto x = random_floats(cols * batch, 1);
      const auto before = random_floats(cols * batch, 2);
      const auto weight = random_floats(cols, 3);
      std::vector<float> sum = before;
      model::add(x.data(), cols * batch, sum.data());
      const auto x_device = array(x);
      const auto residual = array(before);
      const auto weight_device = array(weight);
      const Outputs out(stream, cols, batch);
      run(&Operations::norm,
          Norm{x_device.data(), residual.data(), cols, batch, out.params(weight_device.data())});
      out.expect(Expected(sum, weight, batch));
      expect_bits(residual.read(), sum, "residual");
      run(&Operations::norm,
          Norm{x_device.data(), nullptr, cols, batch, out.params(weight_device.data())});
      out.expect(Expected(x, weight, batch));
    }
  }
}

TEST_P(CudaNorm, RowsOfAnyLengthUpToTheLargest) {
  // 8,192 columns end the weights in registers, 1,024 threads times 16, 32 and 64 columns the rest.
  for (const int cols : {5000, 8200, 20000, 40001}) {
    if (cols != 8200 && GetParam().order != emulated::Order::forwards) continue;
    SCOPED_TRACE(cols);
    const auto x = random_floats(cols, 1);
    const auto weight = random_floats(cols, 2);
    const auto x_device = array(x);
    const auto weight_device = array(weight);
    const Outputs out(stream, cols, 1);
    run(&Operations::norm,
        Norm{x_device.data(), nullptr, cols, 1, out.params(weight_device.data())});
    out.expect(Expected(x, weight, 1));
  }
  const Norm long_rows = {nullptr, nullptr, 100000, 1, {}};
  Norm with_output = long_rows;
  const auto y = array(std::vector<float>(1));
  with_output.out.y = y.data();
  EXPECT_EQ(stream.run(&Operations::norm, with_output).code(), ErrorCode::unsupported);
}

TEST_P(CudaNorm, WithoutAWeightOnlyQuantises) {
  for (const int cols : {7, 300}) {
    const auto x = random_floats(cols * 2, 4);
    const auto x_device = array(x);
    const Outputs out(stream, cols, 2);
    run(&Operations::norm, Norm{x_device.data(), nullptr, cols, 2, out.params(nullptr)});
    out.expect(Expected(x, {}, 2));
  }
}

TEST_P(CudaNorm, MayWriteOverItsInput) {
  constexpr int kCols = 300;
  const auto x = random_floats(kCols * 2, 5);
  const auto weight = random_floats(kCols, 6);
  const auto weight_device = array(weight);
  const auto both = array(x);
  const NormOutputs in_place = {weight_device.data(), kEps, both.data()};
  run(&Operations::norm, Norm{both.data(), nullptr, kCols, 2, in_place});
  expect_bits(both.read(), Expected(x, weight, 2).y, "y");
  const NormOutputs nothing = {nullptr, kEps, both.data()};
  run(&Operations::norm, Norm{both.data(), nullptr, kCols, 2, nothing});
  expect_bits(both.read(), Expected(x, weight, 2).y, "y");
}

TEST_P(CudaNorm, ExtremesQuantiseAsOnTheCpu) {
  constexpr float kTiny = std::numeric_limits<float>::denorm_min();
  const std::vector<std::vector<float>> rows = {{0, 0, 0, 0, 0},
                                                {-0.0f, -0.0f, -0.0f, -0.0f, -0.0f},
                                                {1e-5f, -1e-5f, 5e-6f, -5e-6f, 0},
                                                {127, -127, 0.5f, 1.5f, -2.5f},  // ties go to even
                                                {3e38f, -3e38f, 1, kTiny, -kTiny},
                                                {kTiny, kTiny, kTiny, kTiny, kTiny}};
  for (const auto& row : rows) {
    const auto x = array(row);
    const Outputs out(stream, 5, 1);
    run(&Operations::norm, Norm{x.data(), nullptr, 5, 1, out.params(nullptr)});
    out.expect(Expected(row, {}, 1));
    const std::vector<float> ones(5, 1.0f);
    const auto weight = array(ones);
    run(&Operations::norm, Norm{x.data(), nullptr, 5, 1, out.params(weight.data())});
    out.expect(Expected(row, ones, 1));
  }
}

TEST_P(CudaNorm, NaNStaysToBeNoticed) {
  auto x = random_floats(100, 7);
  x[33] = std::nanf("");
  const std::vector<float> ones(100, 1.0f);
  const auto x_device = array(x);
  const auto weight = array(ones);
  const Outputs out(stream, 100, 1);
  run(&Operations::norm, Norm{x_device.data(), nullptr, 100, 1, out.params(weight.data(), false)});
  expect_bits(out.y.read(), Expected(x, ones, 1).y, "y");
}

/// Gates with infinities, NaNs, and where exp saturates.
std::vector<float> gates(size_t count) {
  auto values = random_floats(count, 8);
  for (size_t i = 0; i < count; ++i) values[i] *= 30;
  const float special[] = {0, -0.0f, 87, -87, 88.1f, -88.1f, 1e30f, -1e30f, 1e-30f, -1e-30f};
  for (size_t i = 0; i < count && i < std::size(special); ++i) values[i] = special[i];
  return values;
}

TEST_P(CudaNorm, GatesHaveTheBitsOfTheCpu) {
  for (const auto activation : {GateActivation::relu2, GateActivation::silu}) {
    for (const int cols : {1, 16, 100, 257, 2560}) {
      const int batch = cols == 2560 ? 1 : 2;
      SCOPED_TRACE(testing::Message() << static_cast<int>(activation) << " " << cols);
      const auto gate = gates(cols * batch);
      const auto up = random_floats(cols * batch, 9);
      std::vector<float> x(gate.size());
      const auto reference =
          activation == GateActivation::relu2 ? model::relu2_gate : model::silu_gate;
      reference(gate.data(), up.data(), cols * batch, x.data());
      const auto weight = random_floats(cols, 10);
      const auto gate_device = array(gate);
      const auto up_device = array(up);
      const auto weight_device = array(weight);
      const Outputs out(stream, cols, batch);
      const auto check = [&](const float* weights, const std::vector<float>& want_weight) {
        run(&Operations::gate, Gate{gate_device.data(), up_device.data(), activation, cols, batch,
                                    out.params(weights)});
        out.expect(Expected(x, want_weight, batch));
      };
      check(nullptr, {});
      check(weight_device.data(), weight);
    }
  }
}

TEST_P(CudaNorm, ManySilusGoOverManyBlocks) {
  constexpr int kCols = 6200;
  const auto gate = gates(kCols);
  const auto up = random_floats(kCols, 11);
  std::vector<float> x(kCols);
  model::silu_gate(gate.data(), up.data(), kCols, x.data());
  Outputs out(stream, kCols, 1);
  const auto gate_device = array(gate);
  const auto up_device = array(up);
  Gate p = {gate_device.data(), up_device.data(), GateActivation::silu, kCols, 1,
            out.params(nullptr)};
  run(&Operations::gate, p);
  out.expect(Expected(x, {}, 1));
  // Over the gate itself, and nothing else.
  p.out = {nullptr, 0, gate_device.data()};
  run(&Operations::gate, p);
  expect_bits(gate_device.read(), x, "in place");
}

TEST_P(CudaNorm, LongGatesTakeTwoLaunches) {
  constexpr int kCols = 17000;
  const auto gate = gates(kCols);
  const auto up = random_floats(kCols, 12);
  const auto weight = random_floats(kCols, 13);
  std::vector<float> x(kCols);
  model::relu2_gate(gate.data(), up.data(), kCols, x.data());
  const auto gate_device = array(gate);
  const auto up_device = array(up);
  const auto weight_device = array(weight);
  const Outputs out(stream, kCols, 1);
  run(&Operations::gate, Gate{gate_device.data(), up_device.data(), GateActivation::relu2, kCols, 1,
                              out.params(weight_device.data())});
  out.expect(Expected(x, weight, 1));
}

INSTANTIATE_TEST_SUITE_P(Devices, CudaNorm, testing::ValuesIn(test_devices()));

}  // namespace
}  // namespace rsr::cuda
