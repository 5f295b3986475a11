// Eight gathered numbers: what the kernels that are written once for two widths call. Sums of
// floats are double.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace rsr::kernels {
namespace {

struct Gathers256 {
  static constexpr int kLanes = 8;
  using Words = __m256i;
  struct Doubles {
    __m256d low;
    __m256d high;
  };

  static Words load_places(const uint16_t* columns) {
    return _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(columns)));
  }
  static Words load(const uint8_t* p) {
    return _mm256_load_si256(reinterpret_cast<const __m256i*>(p));
  }
  static Words next_bytes(Words a) { return _mm256_srli_epi32(a, 8); }

  /// With a mask that the compiler cannot see through: it drops a source that no lane takes, and
  /// then a gather waits for the register that it happens to be given.
  static Words gather(const int32_t* x, Words places) {
    return _mm256_mask_i32gather_epi32(_mm256_setzero_si256(), x, places, all_lanes(), 4);
  }
  static __m256 gather(const float* x, Words places) {
    return _mm256_mask_i32gather_ps(_mm256_setzero_ps(), x, places,
                                    _mm256_castsi256_ps(all_lanes()), 4);
  }
  /// By the lowest byte of each dword; 0 where it is 255.
  static __m256 gather_bytes(const float* x, Words bytes) {
    const __m256i none = _mm256_set1_epi32(255);
    const __m256i places = _mm256_and_si256(bytes, none);
    const __m256 some = _mm256_castsi256_ps(_mm256_cmpgt_epi32(none, places));
    return _mm256_mask_i32gather_ps(_mm256_setzero_ps(), x, places, some, 4);
  }

  static Words zero(uint32_t /*of*/) { return _mm256_setzero_si256(); }
  static Doubles zero(double /*of*/) { return {_mm256_setzero_pd(), _mm256_setzero_pd()}; }
  static Doubles load(const double* p) { return {_mm256_load_pd(p), _mm256_load_pd(p + 4)}; }
  static void store(uint32_t* p, Words v) { _mm256_store_si256(reinterpret_cast<__m256i*>(p), v); }
  static void store(double* p, Doubles v) {
    _mm256_store_pd(p, v.low);
    _mm256_store_pd(p + 4, v.high);
  }
  static void add(Words& sum, Words v) { sum = _mm256_add_epi32(sum, v); }
  static void add(Doubles& sum, __m256 v) {
    sum.low = _mm256_add_pd(sum.low, _mm256_cvtps_pd(_mm256_castps256_ps128(v)));
    sum.high = _mm256_add_pd(sum.high, _mm256_cvtps_pd(_mm256_extractf128_ps(v, 1)));
  }

 private:
  static __m256i all_lanes() {
    __m256i all = _mm256_set1_epi32(-1);
    asm("" : "+x"(all));
    return all;
  }
};

}  // namespace
}  // namespace rsr::kernels
