// Products on a device against those of the host: the same bits.
#include <cmath>
#include <functional>
#include <limits>

#include "linear/device_problem.h"

namespace rsr {
namespace {

using Type = DeviceFloats::Type;

TEST_P(DeviceProducts, QuantisedOnesHaveTheBitsOfTheHost) {
  for (const Kind& kind : all_kinds()) {
    const Weight weight = make(kind);
    const bool both = kind.alphabet == 't' && kind.scales != 'g';
    for (const bool compact : {false, true}) {
      if (compact && !both) continue;
      const DeviceWeight there = to_device(context, weight, {.compact = compact}).value();
      for (const int64_t batch : {1, 3, 11}) {
        const std::vector<float> x = floats(batch * kind.cols);
        ASSERT_TRUE(same_bits(on_device(there, all_of(array(x))), on_host(weight, x)))
            << weight.describe() << ", " << there.describe() << ", batch " << batch << ", "
            << kind.alphabet << kind.scales << " " << kind.rows << " x " << kind.cols;
      }
    }
  }
}

TEST_P(DeviceProducts, SixteenBitFloatsAreQuantisedAsTheyAre) {
  const Weight weight = make({});
  const DeviceWeight there = to_device(context, weight).value();
  for (const Type type : {Type::f16, Type::bf16}) {
    std::vector<float> x = floats(4 * 133);
    const auto bits = array(narrowed(type, &x));
    EXPECT_TRUE(same_bits(on_device(there, {bits.data(), 4 * 133, type}), on_host(weight, x)));
  }
}

TEST_P(DeviceProducts, ManyOfAllFormatsInOneCall) {
  std::vector<Weight> weights;
  std::vector<DeviceWeight> there;
  std::vector<cuda::DeviceArray<float>> y;
  const std::vector<float> x = floats(int64_t{2} * 133);
  for (int i = 0; i < 14; ++i) {
    const Kind kind = {"tttttbbss"[i % 9], "mrg"[i / 2 % 3], 5 + 7 * i % 40};
    weights.push_back(make(kind));
    const bool compact = i % 9 < 2 && kind.scales != 'g';
    there.push_back(to_device(context, weights.back(), {.compact = compact}).value());
    y.push_back(results<float>(there.back(), 2 * 133));
  }
  std::vector<DeviceProduct> products;
  for (size_t i = 0; i < y.size(); ++i) products.push_back({&there[i], span_of(y[i])});
  const auto given = array(x);
  expect_ok(multiply_quantised(context, products, all_of(given)));
  expect_ok(context.wait());
  for (size_t i = 0; i < y.size(); ++i) {
    EXPECT_TRUE(same_bits(y[i].read(), on_host(weights[i], x))) << there[i].describe() << ", " << i;
  }
}

TEST_P(DeviceProducts, IntegersAreExact) {
  for (const Kind& kind : all_kinds()) {
    if (kind.scales == 'g') continue;
    const Weight weight = make(kind);
    const DeviceWeight there = to_device(context, weight, {.compact = kind.rows % 2 == 0}).value();
    for (const int64_t batch : {1, 9}) {
      const std::vector<int8_t> x = integers(batch * kind.cols);
      std::vector<int32_t> wanted(static_cast<size_t>(batch * kind.rows));
      ASSERT_TRUE(multiply(host, weight, x, wanted).ok());
      const auto given = array(x);
      const auto y = results<int32_t>(there, batch * kind.cols);
      expect_ok(multiply(context, there, span_of(given), span_of(y)));
      expect_ok(context.wait());
      ASSERT_EQ(y.read(), wanted) << there.describe() << " " << kind.rows << " x " << kind.cols;
    }
  }
}

TEST_P(DeviceProducts, FloatsHaveTheBitsOfTwoBitCodes) {
  for (Kind kind : all_kinds()) {
    kind.inputs = Inputs::any;  // t2 on the host, too
    const Weight weight = make(kind);
    const DeviceWeight there = to_device(context, weight).value();
    for (const Type type : {Type::f32, Type::f16, Type::bf16}) {
      std::vector<float> x = floats(3 * kind.cols);
      std::vector<uint16_t> bits(x.size());
      if (type != Type::f32) bits = narrowed(type, &x);
      const auto wide = array(x);
      const auto narrow = array(bits);
      DeviceFloats given = all_of(wide);
      if (type != Type::f32) given = {narrow.data(), given.count, type};
      std::vector<float> wanted(static_cast<size_t>(3 * kind.rows));
      ASSERT_TRUE(multiply(host, weight, x, wanted).ok());
      const auto y = results<float>(there, given.count);
      expect_ok(multiply(context, there, given, span_of(y)));
      expect_ok(context.wait());
      const std::vector<float> found = y.read();
      if (kind.alphabet == 't') {
        ASSERT_TRUE(same_bits(found, wanted)) << kind.scales << kind.rows << " x " << kind.cols;
        continue;
      }
      double magnitudes = 0;  // all scales are below 1
      for (const float v : x) magnitudes += std::fabs(v);
      for (size_t i = 0; i < found.size(); ++i) {
        ASSERT_NEAR(found[i], wanted[i], 2e-6 * magnitudes) << there.describe();
      }
    }
  }
}

TEST_P(DeviceProducts, MoreVectorsThanOnePassTakes) {
  const Kind kind = {'t', 'm', 2, 16};
  const Weight weight = make(kind);
  const DeviceWeight there = to_device(context, weight).value();
  const std::vector<float> x = floats(4099 * kind.cols);
  EXPECT_TRUE(same_bits(on_device(there, all_of(array(x))), on_host(weight, x)));
}

TEST_P(DeviceProducts, NanAndInfinityStayInTheirVector) {
  const Weight weight = make({.scales = 'r', .inputs = Inputs::any});
  const DeviceWeight there = to_device(context, weight).value();
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    std::vector<float> x = floats(3 * 133);
    const std::vector<float> quantised = on_host(weight, x);
    std::vector<float> unquantised(quantised.size());
    ASSERT_TRUE(multiply(host, weight, x, unquantised).ok());
    x[133 + 50] = bad;
    const auto given = array(x);
    const auto y = results<float>(there, 3 * 133);
    expect_ok(multiply(context, there, all_of(given), span_of(y)));
    expect_ok(context.wait());
    const std::vector<float> of_floats = y.read();
    const std::vector<float> of_int8 = on_device(there, all_of(given));
    for (size_t i = 0; i < quantised.size(); ++i) {
      const bool spoilt = i / 37 == 1;
      ASSERT_TRUE(spoilt ? std::isnan(of_int8[i]) : of_int8[i] == quantised[i]) << i;
      ASSERT_TRUE(spoilt ? std::isnan(of_floats[i]) : of_floats[i] == unquantised[i]) << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, DeviceProducts, testing::ValuesIn(cuda::test_devices()));

}  // namespace
}  // namespace rsr
