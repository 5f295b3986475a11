// Sixteen gathered numbers: what the kernels that are written once for two widths call. Sums of
// floats are double. A gather takes nine or ten cycles, whatever is done with the numbers: two
// loads a cycle and an overhead. The rest fits beside it.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace rsr::kernels {
namespace {

struct Gathers512 {
  static constexpr int kLanes = 16;
  using Words = __m512i;
  struct Doubles {
    __m512d low;
    __m512d high;
  };

  static Words load_places(const uint16_t* columns) {
    return _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(columns)));
  }
  static Words load(const uint8_t* p) { return _mm512_load_si512(p); }
  static Words next_bytes(Words a) { return _mm512_srli_epi32(a, 8); }

  /// With a mask that the compiler cannot see through: it drops a source that no lane takes, and
  /// then a gather waits for the register that it happens to be given (3.7 instead of 4.7
  /// columns/ns).
  static Words gather(const int32_t* x, Words places) {
    return _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), all_lanes(), places, x, 4);
  }
  static __m512 gather(const float* x, Words places) {
    return _mm512_mask_i32gather_ps(_mm512_setzero_ps(), all_lanes(), places, x, 4);
  }
  /// By the lowest byte of each dword; 0 where it is 255.
  static __m512 gather_bytes(const float* x, Words bytes) {
    const __m512i none = _mm512_set1_epi32(255);
    const __m512i places = _mm512_and_si512(bytes, none);
    const __mmask16 some = _mm512_cmpneq_epi32_mask(places, none);
    return _mm512_mask_i32gather_ps(_mm512_setzero_ps(), some, places, x, 4);
  }

  static Words zero(uint32_t /*of*/) { return _mm512_setzero_si512(); }
  static Doubles zero(double /*of*/) { return {_mm512_setzero_pd(), _mm512_setzero_pd()}; }
  static Doubles load(const double* p) { return {_mm512_load_pd(p), _mm512_load_pd(p + 8)}; }
  static void store(uint32_t* p, Words v) { _mm512_store_si512(p, v); }
  static void store(double* p, Doubles v) {
    _mm512_store_pd(p, v.low);
    _mm512_store_pd(p + 8, v.high);
  }
  static void add(Words& sum, Words v) { sum = _mm512_add_epi32(sum, v); }
  static void add(Doubles& sum, __m512 v) {
    sum.low = _mm512_add_pd(sum.low, _mm512_cvtps_pd(_mm512_castps512_ps256(v)));
    sum.high = _mm512_add_pd(sum.high, _mm512_cvtps_pd(_mm512_extractf32x8_ps(v, 1)));
  }

 private:
  static __mmask16 all_lanes() {
    __mmask16 all = 0xFFFF;
    asm("" : "+Yk"(all));
    return all;
  }
};

}  // namespace
}  // namespace rsr::kernels
