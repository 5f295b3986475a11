// Products on a device against those of the host: the same bits.
#include <cmath>
#include <functional>
#include <limits>
#include <random>
#include <thread>

#include "base/float16.h"
#include "cuda/test_device.h"
#include "rsr/device.h"

namespace rsr {
namespace {

using cuda::DeviceArray;
using Type = DeviceFloats::Type;

/// A matrix of one alphabet, prepared in one way.
struct Kind {
  char alphabet = 't';  // ternary, binary, signs
  char scales = 'm';    // of the matrix, rows, groups
  int64_t rows = 37;
  int64_t cols = 133;
  Inputs inputs = Inputs::int8;
  const char* isa = "avx512vbmi";  // packs int8 ternary weights as t5, those for floats as t3
  int64_t group_size = 32;
};

Weight make(const Kind& kind) {
  std::mt19937 random(static_cast<unsigned>(kind.rows * kind.cols));
  std::vector<int8_t> w(static_cast<size_t>(kind.rows * kind.cols));
  for (int8_t& v : w) {
    const auto drawn = static_cast<int>(random() % 3);
    if (kind.alphabet == 't') v = static_cast<int8_t>(drawn - 1);
    if (kind.alphabet == 'b') v = static_cast<int8_t>(drawn % 2);
    if (kind.alphabet == 's') v = drawn % 2 != 0 ? 1 : -1;
  }
  std::uniform_real_distribution<float> draw(-1, 1);
  std::vector<float> row_scales(kind.scales == 'm' ? 0 : static_cast<size_t>(kind.rows));
  for (float& scale : row_scales) scale = draw(random);  // of groups, too, which carry them
  const int64_t groups = (kind.cols + kind.group_size - 1) / kind.group_size;
  std::vector<float> group_scales(kind.scales == 'g' ? static_cast<size_t>(kind.rows * groups) : 0);
  for (float& scale : group_scales) scale = draw(random);
  const auto view = kind.alphabet == 't' ? &ternary : kind.alphabet == 'b' ? &binary : &signs;
  return prepare(view(w, kind.rows, kind.cols),
                 {.scale = 0.37f,
                  .row_scales = row_scales,
                  .group_scales = group_scales,
                  .group_size = kind.scales == 'g' ? kind.group_size : 0,
                  .inputs = kind.inputs,
                  .isa = kind.isa})
      .value();
}

std::vector<Kind> all_kinds() {
  std::vector<Kind> kinds;
  for (const char alphabet : {'t', 'b', 's'}) {
    for (const char scales : {'m', 'r', 'g'}) {
      kinds.push_back({alphabet, scales});
      kinds.push_back({alphabet, scales, 16, 64});
      kinds.push_back({alphabet, scales, 1, 1});
    }
  }
  kinds.push_back({'t', 'm', 5, 20, Inputs::floats});         // packed as t3
  kinds.push_back({'t', 'g', 5, 50, Inputs::int8, "", 500});  // one group
  kinds.push_back({'t', 'g', 5, 50, Inputs::int8, "", 16});
  return kinds;
}

std::vector<float> floats(int64_t count, unsigned seed = 3) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> x(static_cast<size_t>(count));
  for (float& v : x) v = normal(random);
  return x;
}

std::vector<int8_t> integers(int64_t count) {
  std::mt19937 random(4);
  std::vector<int8_t> x(static_cast<size_t>(count));
  for (int8_t& v : x) v = static_cast<int8_t>(static_cast<int>(random() % 256) - 128);
  return x;
}

/// Floats of a 16-bit type, and what they are worth.
std::vector<uint16_t> narrowed(Type type, std::vector<float>* x) {
  std::vector<uint16_t> bits;
  for (float& v : *x) {
    bits.push_back(type == Type::f16 ? base::to_f16(v)
                                     : static_cast<uint16_t>(std::bit_cast<uint32_t>(v) >> 16));
    v = type == Type::f16 ? base::from_f16(bits.back()) : base::from_bf16(bits.back());
  }
  return bits;
}

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

DeviceFloats all_of(const DeviceArray<float>& x) {
  return {x.data(), static_cast<int64_t>(x.size())};
}
template <class T>
std::span<T> span_of(const DeviceArray<T>& array) {
  return {array.data(), array.size()};
}

class DeviceProducts : public cuda::OnDevices {
 protected:
  std::vector<float> on_host(const Weight& weight, const std::vector<float>& x) {
    std::vector<float> y(x.size() / static_cast<size_t>(weight.cols()) *
                         static_cast<size_t>(weight.rows()));
    const Product product{&weight, y};
    EXPECT_TRUE(multiply_quantised(host, {&product, 1}, x).ok());
    return y;
  }
  /// multiply_quantised() of one weight.
  std::vector<float> on_device(const DeviceWeight& weight, const DeviceFloats& x) {
    const auto y = results<float>(weight, x.count);
    const DeviceProduct product{&weight, span_of(y)};
    expect_ok(multiply_quantised(context, {&product, 1}, x));
    expect_ok(context.wait());
    return y.read();
  }
  template <class T>
  DeviceArray<T> results(const DeviceWeight& weight, int64_t x_count) {
    return array(
        std::vector<T>(static_cast<size_t>(x_count / weight.cols() * weight.rows()), T{77}));
  }
  static void expect_ok(const Status& status) { EXPECT_TRUE(status.ok()) << status.message(); }

  Context host = Context::create({.threads = 1, .isa = "reference"}).value();
  DeviceContext context = DeviceContext::create(GetParam().name).value();
};

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
  std::vector<DeviceArray<float>> y;
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

TEST_P(DeviceProducts, CallersStreamAndMemory) {
  const Weight weight = make({});
  const auto given = array(floats(5 * 133));
  const auto bytes = static_cast<size_t>(DeviceContext::scratch_bytes(5, 133));
  const auto scratch = array(std::vector<std::byte>(bytes));
  const DeviceContextOptions options = {.stream = nullptr, .scratch = span_of(scratch)};
  const DeviceContext other = context.with(options).value();
  EXPECT_EQ(other.describe(), context.describe());
  const DeviceWeight there = to_device(other, weight).value();
  const auto y = results<float>(there, 5 * 133);
  const DeviceProduct product{&there, span_of(y)};
  expect_ok(multiply_quantised(other, {&product, 1}, all_of(given)));
  expect_ok(other.wait());
  EXPECT_TRUE(same_bits(y.read(), on_host(weight, given.read())));

  const auto message = [&](std::span<std::byte> memory) {
    const DeviceContext with = context.with({.stream = nullptr, .scratch = memory}).value();
    return multiply_quantised(with, {&product, 1}, all_of(given)).message();
  };
  const std::string needed = std::to_string(bytes);
  EXPECT_EQ(message(span_of(scratch).first(bytes - 1)),
            "scratch: " + std::to_string(bytes - 1) + " bytes given, " + needed + " needed");
  const auto longer = array(std::vector<std::byte>(bytes + 8));
  EXPECT_EQ(message(span_of(longer).subspan(8)),
            "scratch: it begins 8 bytes behind a boundary of 16");
}

TEST_P(DeviceProducts, AreCapturedInGraphs) {
  const Weight weight = make({});
  const DeviceWeight there = to_device(context, weight).value();
  const std::vector<float> first = floats(133, 1);
  const std::vector<float> second = floats(133, 2);
  const auto x = array(first);
  const auto y = results<float>(there, 133);
  void* handle = device.backend().create_stream(device.index()).value();
  {
    cuda::Stream captured = cuda::Stream::borrow(device, handle);
    const DeviceContext caller = context.with({.stream = handle, .scratch = {}}).value();
    const DeviceProduct product{&there, span_of(y)};
    const auto ask = [&] { return multiply_quantised(caller, {&product, 1}, all_of(x)); };
    expect_ok(ask());  // makes scratch memory grow
    const cuda::Graph graph = captured.capture(ask).value();
    for (const std::vector<float>& values : {second, first}) {
      expect_ok(captured.copy_to_device(x.data(), values.data(), values.size() * sizeof(float)));
      expect_ok(captured.launch(graph));
      expect_ok(captured.wait());
      EXPECT_TRUE(same_bits(y.read(), on_host(weight, values)));
    }
  }
  device.backend().destroy_stream(device.index(), handle);
}

TEST_P(DeviceProducts, ThreadsShareAContext) {
  const Weight weight = make({});
  const DeviceWeight there = to_device(context, weight).value();
  std::vector<std::vector<float>> x;
  std::vector<DeviceArray<float>> given;
  std::vector<DeviceArray<float>> y;
  for (unsigned i = 0; i < 3; ++i) {
    x.push_back(floats((i + 1) * 133, i));
    given.push_back(array(x.back()));
    y.push_back(results<float>(there, (i + 1) * 133));
  }
  std::vector<std::thread> threads;
  for (size_t i = 0; i < x.size(); ++i) {
    threads.emplace_back([&, i] {
      const DeviceProduct product{&there, span_of(y[i])};
      for (int turn = 0; turn < 3; ++turn) {
        expect_ok(multiply_quantised(context, {&product, 1}, all_of(given[i])));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  expect_ok(context.wait());
  for (size_t i = 0; i < x.size(); ++i) {
    EXPECT_TRUE(same_bits(y[i].read(), on_host(weight, x[i])));
  }
}

TEST_P(DeviceProducts, NameWhatIsWrong) {
  const Weight weight = make({.rows = 4});
  const DeviceWeight there = to_device(context, weight).value();
  const DeviceWeight narrow = to_device(context, make({.rows = 3, .cols = 4})).value();
  const auto x = array(floats(133));
  const auto xi = array(integers(133));
  const auto y = array(std::vector<float>(4));
  const auto three = array(std::vector<float>(3));
  const auto message = [&](const std::vector<DeviceProduct>& products, int64_t count) {
    return multiply_quantised(context, products, DeviceFloats{x.data(), count}).message();
  };
  EXPECT_EQ(message({}, 133), "products: there are none");
  EXPECT_EQ(message({{&there, span_of(y)}, {nullptr, span_of(y)}}, 133), "products[1]: no weight");
  EXPECT_EQ(message({{&there, span_of(y)}, {&narrow, span_of(three)}}, 133),
            "products[1]: 4 columns, the first weight has 133");
  EXPECT_EQ(message({{&there, span_of(three)}}, 133),
            "products[0]: y: 3 elements; a batch of 1 and 4 rows need exactly 4");
  EXPECT_EQ(message({{&there, span_of(y)}}, 132),
            "products[0]: x: 132 elements are not a positive multiple of the matrix's 133 columns");
  EXPECT_FALSE(message({{&there, span_of(y)}}, 0).empty());
  EXPECT_FALSE(message({{&there, span_of(y)}}, -133).empty());
  EXPECT_EQ(multiply(context, there, all_of(x), span_of(three)).message(),
            "y: 3 elements; a batch of 1 and 4 rows need exactly 4");
  const DeviceWeight compact = to_device(context, weight, {.compact = true}).value();
  EXPECT_EQ(multiply(context, compact, all_of(x), span_of(y)).message(),
            "weight: a compact one has products of int8 and quantised vectors only");
  const DeviceWeight grouped = to_device(context, make({.scales = 'g', .rows = 4})).value();
  std::vector<int32_t> sums(4);
  const auto yi = array(sums);
  EXPECT_EQ(multiply(context, grouped, span_of(xi), span_of(yi)).message(),
            "weight: it has group scales, which an integer product cannot carry");
}

TEST_P(DeviceProducts, WeightsWithoutKernelsAreRefused) {
  const auto message = [&](const Weight& weight, bool compact) {
    return to_device(context, weight, {.compact = compact}).status().message();
  };
  EXPECT_EQ(message(make({.scales = 'g', .group_size = 20}), false),
            "weight: groups of 20 columns; devices have kernels for multiples of 16");
  EXPECT_EQ(message(make({'b', 'g', 4, 133, Inputs::int8, "", 48}), false),
            "weight: groups of 48 columns; devices have kernels for multiples of 32");
  EXPECT_EQ(message(make({.scales = 'g'}), true),
            "weight: it has group scales, groups of 32 columns, which compact weights cannot have");
  const std::vector<int8_t> values(12, 1);
  const Weight rsr = prepare(ternary(values, 3, 4), {.algorithm = Algorithm::rsr}).value();
  EXPECT_EQ(message(rsr, false),
            "weight: " + rsr.describe() +
                "; devices have no kernel for it, prepare it with multiply_add");
}

TEST_P(DeviceProducts, ADevicesWeightsAreItsOwn) {
  const Result<DeviceContext> second = DeviceContext::create(GetParam().name + ":1");
  if (!second.ok()) GTEST_SKIP() << second.status().message();
  const DeviceWeight there = to_device(*second, make({.rows = 4})).value();
  const auto x = array(floats(133));
  const auto y = array(std::vector<float>(4));
  const std::string message = multiply(context, there, all_of(x), span_of(y)).message();
  EXPECT_EQ(message,
            "weight: it is on " + second->describe() + ", the context on " + context.describe());
}

INSTANTIATE_TEST_SUITE_P(Devices, DeviceProducts, testing::ValuesIn(cuda::test_devices()));

TEST(DeviceContext, NamesTheDeviceThatIsNotThere) {
  EXPECT_EQ(DeviceContext::create("tpu").status().message(),
            "device 'tpu' is unknown; known: cpu, cuda");
  EXPECT_FALSE(DeviceContext::create("cuda:9999").ok());
}

}  // namespace
}  // namespace rsr
