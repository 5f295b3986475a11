// Operations vectors and spoil against the CPU's quantisation, bit for bit.
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

#include "base/float16.h"
#include "cuda/test_device.h"
#include "kernels/quantize/quantize.h"

namespace rsr::cuda {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

/// Vectors of one type. In device memory they begin `shift` elements behind a boundary.
struct Case {
  int32_t cols;
  int32_t batch;
  FloatType type = FloatType::f32;
  int shift = 0;
};

std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << c.batch << " x " << c.cols << ", type " << static_cast<int>(c.type) << ", shift "
             << c.shift;
}

std::vector<float> random_floats(const Case& c) {
  std::mt19937 random(static_cast<unsigned>(c.cols + c.batch));
  std::normal_distribution<float> normal;
  std::vector<float> x(static_cast<size_t>(c.cols) * static_cast<size_t>(c.batch));
  for (float& v : x) v = normal(random);
  return x;
}

/// Floats as a type has them, and what they are worth there.
struct Typed {
  std::vector<float> values;
  std::vector<uint16_t> bits;  // of 16-bit types
};

Typed typed(FloatType type, std::vector<float> x) {
  Typed made;
  for (float& v : x) {
    const uint16_t bits = type == FloatType::f16
                              ? base::to_f16(v)
                              : static_cast<uint16_t>(std::bit_cast<uint32_t>(v) >> 16);
    made.bits.push_back(bits);
    if (type == FloatType::f16) v = base::from_f16(bits);
    if (type == FloatType::bf16) v = base::from_bf16(bits);
  }
  made.values = std::move(x);
  return made;
}

/// What quantisation leaves.
struct Quantised {
  std::vector<int8_t> q;
  std::vector<int32_t> sums;
  std::vector<float> inverse_scales;
};

Quantised expected(const Case& c, const std::vector<float>& x, int64_t stride) {
  const auto batch = static_cast<size_t>(c.batch);
  Quantised made{std::vector<int8_t>(batch * static_cast<size_t>(stride), 99),
                 std::vector<int32_t>(batch), std::vector<float>(batch)};
  kernels::quantize_i8_reference(
      {x.data(), c.cols, made.q.data(), stride, made.sums.data(), made.inverse_scales.data()}, 0,
      c.batch);
  return made;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

/// With elements in front of them that nobody may read.
template <class T>
std::vector<T> behind(int shift, const std::vector<T>& values) {
  std::vector<T> all(static_cast<size_t>(shift), static_cast<T>(77));
  all.insert(all.end(), values.begin(), values.end());
  return all;
}

class VectorsTest : public OnDevices {
 protected:
  Quantised quantised(const Case& c, const Typed& x, int64_t stride) {
    const auto batch = static_cast<size_t>(c.batch);
    const auto floats = array(behind(c.shift, x.values));
    const auto halves = array(behind(c.shift, x.bits));
    const auto q = array(std::vector<int8_t>(batch * static_cast<size_t>(stride), 99));
    const auto sums = array(std::vector<int32_t>(batch));
    const auto scales = array(std::vector<float>(batch));
    Vectors p;
    p.floats = halves.data() + c.shift;
    if (c.type == FloatType::f32) p.floats = floats.data() + c.shift;
    p.type = c.type;
    p.cols = c.cols;
    p.batch = c.batch;
    p.q = q.data();
    p.q_stride = stride;
    p.sums = sums.data();
    p.inverse_scales = scales.data();
    run(&Operations::vectors, p);
    return {q.read(), sums.read(), scales.read()};
  }
};

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const FloatType type : {FloatType::f32, FloatType::f16, FloatType::bf16}) {
    for (const int32_t cols : {1, 3, 4, 15, 16, 133, 260, 2052}) {
      for (const int shift : {0, 1}) cases.push_back({cols, cols > 1000 ? 1 : 3, type, shift});
    }
  }
  cases.push_back({9000, 1});  // more than all threads take at once
  return cases;
}

TEST_P(VectorsTest, FloatsAreQuantisedAsOnTheHost) {
  for (const Case& c : all_cases()) {
    const Typed x = typed(c.type, random_floats(c));
    const int64_t stride = (c.cols + 31) / 16 * 16;
    const Quantised wanted = expected(c, x.values, stride);
    const Quantised found = quantised(c, x, stride);
    ASSERT_EQ(found.q, wanted.q) << c;
    ASSERT_EQ(found.sums, wanted.sums) << c;
    ASSERT_TRUE(same_bits(found.inverse_scales, wanted.inverse_scales)) << c;
  }
}

TEST_P(VectorsTest, HalvesTinyAndHugeNumbers) {
  const Case c = {8, 4};
  const Typed x = {
      {127,     0.5f,     1.5f,   2.5f,  -0.5f,    -1.5f, -2.5f,  -127,  // halves go to even
       0,       -0.0f,    0,      0,     0,        0,     0,      0,     // nothing at all
       1e-7f,   -1e-6f,   1e-40f, 5e-6f, 0,        0,     -9e-6f, 0,     // below the floor
       3.4e38f, -3.4e38f, 1e30f,  2e38f, -1.7e38f, 1,     0,      0},    // the largest there are
      {}};
  const Quantised wanted = expected(c, x.values, 16);
  const Quantised found = quantised(c, x, 16);
  EXPECT_EQ(found.q, wanted.q);
  EXPECT_EQ(found.sums, wanted.sums);
  EXPECT_TRUE(same_bits(found.inverse_scales, wanted.inverse_scales));
}

TEST_P(VectorsTest, NanAndInfinityShowInTheScaleOfTheirVectorAlone) {
  for (const FloatType type : {FloatType::f32, FloatType::f16, FloatType::bf16}) {
    for (const float bad : {kNan, kInf, -kInf}) {
      const Case c = {37, 3, type};
      std::vector<float> x = random_floats(c);
      x[37 + 36] = bad;
      const Quantised found = quantised(c, typed(type, x), 48);
      x[37 + 36] = 0;
      Quantised wanted = expected(c, typed(type, x).values, 48);
      EXPECT_TRUE(std::isnan(found.inverse_scales[1]));
      EXPECT_EQ(found.sums[1], 0);
      wanted.sums[1] = 0;
      std::fill_n(wanted.q.begin() + 48, 48, int8_t{0});
      EXPECT_EQ(found.q, wanted.q);
      EXPECT_EQ(found.sums, wanted.sums);
      EXPECT_EQ(found.inverse_scales[0], wanted.inverse_scales[0]);
      EXPECT_EQ(found.inverse_scales[2], wanted.inverse_scales[2]);
    }
  }
}

TEST_P(VectorsTest, IntegersAreCopied) {
  for (const int32_t cols : {1, 4, 15, 16, 133, 300}) {
    for (const int shift : {0, 1}) {
      std::vector<int8_t> x(static_cast<size_t>(2 * cols));
      std::iota(x.begin(), x.end(), int8_t{-128});
      const int64_t stride = (cols + 15) / 16 * 16;
      const auto given = array(behind(shift, x));
      const auto q = array(std::vector<int8_t>(static_cast<size_t>(2 * stride), 99));
      const auto sums = array(std::vector<int32_t>(2));
      Vectors p;
      p.integers = given.data() + shift;
      p.cols = cols;
      p.batch = 2;
      p.q = q.data();
      p.q_stride = stride;
      p.sums = sums.data();
      run(&Operations::vectors, p);
      std::vector<int8_t> wanted(static_cast<size_t>(2 * stride));
      std::copy_n(x.begin(), cols, wanted.begin());
      std::copy_n(x.begin() + cols, cols, wanted.begin() + stride);
      EXPECT_EQ(q.read(), wanted) << cols << " columns, shift " << shift;
      const auto sum = [&](int64_t row) {
        return std::accumulate(wanted.begin() + row * stride, wanted.begin() + (row + 1) * stride,
                               int32_t{0});
      };
      EXPECT_EQ(sums.read(), (std::vector<int32_t>{sum(0), sum(1)}));
    }
  }
}

TEST_P(VectorsTest, SpoilTouchesResultsOfNanAndInfinityOnly) {
  for (const FloatType type : {FloatType::f32, FloatType::f16, FloatType::bf16}) {
    for (const float bad : {kNan, kInf, -kInf}) {
      const Case c = {69, 3, type};
      std::vector<float> x = random_floats(c);
      x[2 * 69 + 68] = bad;
      const Typed given = typed(type, x);
      const auto floats = array(given.values);
      const auto halves = array(given.bits);
      const auto y = array(std::vector<float>(3 * 65, 1.5f));
      Spoil p = {halves.data(), type, c.cols, c.batch, y.data(), 65};
      if (type == FloatType::f32) p.x = floats.data();
      run(&Operations::spoil, p);
      const std::vector<float> found = y.read();
      for (size_t i = 0; i < found.size(); ++i) {
        ASSERT_TRUE(i >= 130 ? std::isnan(found[i]) : found[i] == 1.5f) << i;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, VectorsTest, testing::ValuesIn(test_devices()));

}  // namespace
}  // namespace rsr::cuda
