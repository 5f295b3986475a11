// Sixteen floats one by one: what the vectors of the other files must equal.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "base/float16.h"

namespace rsr::kernels {
namespace {

struct Lanes {
  static constexpr int kLanes = 16;
  struct F {
    float of[kLanes];
  };
  static constexpr int kSums = 4;

  template <class Of>
  static F each(const Of& of) {
    F v;
    for (int i = 0; i < kLanes; ++i) v.of[i] = of(i);
    return v;
  }
  static F zero() { return all(0.0f); }
  static F all(float v) {
    return each([&](int) { return v; });
  }
  static F load(const float* p) {
    // NOLINTNEXTLINE(clang-analyzer-core.uninitialized.UndefReturn): rows are padded with zeros
    return each([&](int i) { return p[i]; });
  }
  static F load(const uint16_t* half) {
    return each([&](int i) { return base::from_f16(half[i]); });
  }
  static F load(const int8_t* p) {
    return each([&](int i) { return static_cast<float>(p[i]); });
  }
  static void store(float* p, const F& v) {
    for (int i = 0; i < kLanes; ++i) p[i] = v.of[i];
  }
  static void store(uint16_t* half, const F& v) {
    for (int i = 0; i < kLanes; ++i) half[i] = base::to_f16(v.of[i]);
  }
  static void store(int8_t* p, const F& v) {
    for (int i = 0; i < kLanes; ++i) p[i] = static_cast<int8_t>(std::lrint(v.of[i]));
  }
  static F add(const F& a, const F& b) {
    return each([&](int i) { return a.of[i] + b.of[i]; });
  }
  static F sub(const F& a, const F& b) {
    return each([&](int i) { return a.of[i] - b.of[i]; });
  }
  static F mul(const F& a, const F& b) {
    return each([&](int i) { return a.of[i] * b.of[i]; });
  }
  static F fma(const F& a, const F& b, const F& c) {
    return each([&](int i) { return __builtin_fmaf(a.of[i], b.of[i], c.of[i]); });
  }
  static F max(const F& a, const F& b) {
    return each([&](int i) { return a.of[i] > b.of[i] ? a.of[i] : b.of[i]; });
  }
  static F abs(const F& a) {
    return each([&](int i) { return __builtin_fabsf(a.of[i]); });
  }
  static F scale2(const F& a, const F& shifted) {
    return each([&](int i) {
      const uint32_t n = std::bit_cast<uint32_t>(shifted.of[i]) << 23;
      return std::bit_cast<float>(std::bit_cast<uint32_t>(a.of[i]) + n);
    });
  }
  static F above(const F& x, const F& limit, const F& v) {
    return each([&](int i) { return x.of[i] <= limit.of[i] ? 0.0f : v.of[i]; });
  }
};

}  // namespace
}  // namespace rsr::kernels
