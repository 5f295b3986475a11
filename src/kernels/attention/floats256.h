// Sixteen floats in two registers.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace rsr::kernels {
namespace {

struct Lanes {
  struct F {
    __m256 low;
    __m256 high;
  };
  static constexpr int kSums = 4;  // accumulators at once: 8 of 16 registers

  static F zero() { return all(0.0f); }
  static F all(float v) { return {_mm256_set1_ps(v), _mm256_set1_ps(v)}; }
  static F load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
  static F load(const uint16_t* half) { return {widen(half), widen(half + 8)}; }
  static F load(const int8_t* p) { return {widen(p), widen(p + 8)}; }
  static void store(float* p, F v) {
    _mm256_storeu_ps(p, v.low);
    _mm256_storeu_ps(p + 8, v.high);
  }
  /// Rounded to nearest, ties to even.
  static void store(uint16_t* half, F v) {
    constexpr int kNearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
    auto* at = reinterpret_cast<__m128i*>(half);
    _mm_storeu_si128(at, _mm256_cvtps_ph(v.low, kNearest));
    _mm_storeu_si128(at + 1, _mm256_cvtps_ph(v.high, kNearest));
  }
  /// Values of -127.5 to 127.5, rounded likewise.
  static void store(int8_t* p, F v) {
    const __m256i words = _mm256_permute4x64_epi64(
        _mm256_packs_epi32(_mm256_cvtps_epi32(v.low), _mm256_cvtps_epi32(v.high)), 0xD8);
    const __m128i bytes =
        _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), bytes);
  }
  static F add(F a, F b) { return {_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)}; }
  static F sub(F a, F b) { return {_mm256_sub_ps(a.low, b.low), _mm256_sub_ps(a.high, b.high)}; }
  static F mul(F a, F b) { return {_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)}; }
  static F fma(F a, F b, F c) {
    return {_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
  }
  static F max(F a, F b) { return {_mm256_max_ps(a.low, b.low), _mm256_max_ps(a.high, b.high)}; }
  static F abs(F a) {
    const __m256 sign = _mm256_set1_ps(-0.0f);
    return {_mm256_andnot_ps(sign, a.low), _mm256_andnot_ps(sign, a.high)};
  }
  /// a * 2^n, n in the low bits of `shifted` as a float (see exp()).
  static F scale2(F a, F shifted) {
    return {scale2(a.low, shifted.low), scale2(a.high, shifted.high)};
  }
  /// 0 where x <= limit, else v: a NaN stays one.
  static F above(F x, F limit, F v) {
    return {_mm256_and_ps(_mm256_cmp_ps(x.low, limit.low, _CMP_NLE_UQ), v.low),
            _mm256_and_ps(_mm256_cmp_ps(x.high, limit.high, _CMP_NLE_UQ), v.high)};
  }

 private:
  static __m256 widen(const uint16_t* half) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(half)));
  }
  static __m256 widen(const int8_t* p) {
    return _mm256_cvtepi32_ps(
        _mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
  }
  static __m256 scale2(__m256 a, __m256 shifted) {
    const __m256i n = _mm256_slli_epi32(_mm256_castps_si256(shifted), 23);
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(a), n));
  }
};

}  // namespace
}  // namespace rsr::kernels
