// For tests: weights and vectors of every kind, and their products on the host and on a device.
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <random>
#include <span>
#include <vector>

#include "base/float16.h"
#include "cuda/test_device.h"
#include "rsr/device.h"

namespace rsr {

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

inline Weight make(const Kind& kind) {
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

inline std::vector<Kind> all_kinds() {
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

inline std::vector<float> floats(int64_t count, unsigned seed = 3) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> x(static_cast<size_t>(count));
  for (float& v : x) v = normal(random);
  return x;
}

inline std::vector<int8_t> integers(int64_t count) {
  std::mt19937 random(4);
  std::vector<int8_t> x(static_cast<size_t>(count));
  for (int8_t& v : x) v = static_cast<int8_t>(static_cast<int>(random() % 256) - 128);
  return x;
}

/// Floats of a 16-bit type, and what they are worth.
inline std::vector<uint16_t> narrowed(DeviceFloats::Type type, std::vector<float>* x) {
  std::vector<uint16_t> bits;
  for (float& v : *x) {
    bits.push_back(type == DeviceFloats::Type::f16
                       ? base::to_f16(v)
                       : static_cast<uint16_t>(std::bit_cast<uint32_t>(v) >> 16));
    v = type == DeviceFloats::Type::f16 ? base::from_f16(bits.back())
                                        : base::from_bf16(bits.back());
  }
  return bits;
}

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

inline DeviceFloats all_of(const cuda::DeviceArray<float>& x) {
  return {x.data(), static_cast<int64_t>(x.size())};
}
template <class T>
std::span<T> span_of(const cuda::DeviceArray<T>& array) {
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
  cuda::DeviceArray<T> results(const DeviceWeight& weight, int64_t x_count) {
    return array(
        std::vector<T>(static_cast<size_t>(x_count / weight.cols() * weight.rows()), T{77}));
  }
  static void expect_ok(const Status& status) { EXPECT_TRUE(status.ok()) << status.message(); }

  Context host = Context::create({.threads = 1, .isa = "reference"}).value();
  DeviceContext context = DeviceContext::create(GetParam().name).value();
};

}  // namespace rsr
