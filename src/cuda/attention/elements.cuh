// Elements of the cache as floats and back, and the arithmetic of states: the steps of
// kernels/attention, one lane of them.
#pragma once

#include <cstdint>

#include "cuda/simt.h"

namespace rsr::cuda::RSR_SIMT {
namespace {

/// An int8 is laid into the low bits of 2^23: a byte operation and a subtraction, where a
/// conversion has a quarter of their rate.
constexpr uint32_t kByteAsFloat = 0x4B000000U;
constexpr float kByteZero = 8388608.0f + 128.0f;

RSR_DEVICE float element(const float* at) {
  return *at;
}
RSR_DEVICE float element(const uint16_t* at) {
  return simt::from_f16(*at);
}
RSR_DEVICE float element(const int8_t* at) {
  const uint32_t bits = *reinterpret_cast<const uint8_t*>(at);
  return simt::from_bits((bits ^ 0x80U) | kByteAsFloat) - kByteZero;
}

/// Two neighbours, the first at an even place.
RSR_DEVICE void element_pair(const float* at, float (&v)[2]) {
  const auto pair = *reinterpret_cast<const simt::Words2*>(at);
  v[0] = simt::from_bits(pair.w[0]);
  v[1] = simt::from_bits(pair.w[1]);
}
RSR_DEVICE void element_pair(const uint16_t* at, float (&v)[2]) {
  const uint32_t pair = *reinterpret_cast<const uint32_t*>(at);
  v[0] = simt::from_f16(static_cast<uint16_t>(pair));
  v[1] = simt::from_f16(static_cast<uint16_t>(pair >> 16));
}
RSR_DEVICE void element_pair(const int8_t* at, float (&v)[2]) {
  const uint32_t pair = *reinterpret_cast<const uint16_t*>(at) ^ 0x8080U;
  v[0] = simt::from_bits(simt::byte_permute(pair, kByteAsFloat, 0x7440)) - kByteZero;
  v[1] = simt::from_bits(simt::byte_permute(pair, kByteAsFloat, 0x7441)) - kByteZero;
}

/// Consecutive floats in shared memory, from a 16-byte boundary where there are four or more.
template <int count>
RSR_DEVICE void load_floats(const float* at, float (&v)[count]) {
  if constexpr (count % 4 == 0) {
    RSR_UNROLL
    for (int i = 0; i < count / 4; ++i) {
      const auto four = reinterpret_cast<const simt::Words4*>(at)[i];
      RSR_UNROLL
      for (int k = 0; k < 4; ++k) v[4 * i + k] = simt::from_bits(four.w[k]);
    }
  } else {
    RSR_UNROLL
    for (int i = 0; i < count; ++i) v[i] = at[i];
  }
}

template <int count>
RSR_DEVICE void store_floats(const float (&v)[count], float* at) {
  if constexpr (count % 4 == 0) {
    RSR_UNROLL
    for (int i = 0; i < count; i += 4) {
      *reinterpret_cast<simt::Words4*>(at + i) = {{simt::to_bits(v[i]), simt::to_bits(v[i + 1]),
                                                   simt::to_bits(v[i + 2]),
                                                   simt::to_bits(v[i + 3])}};
    }
  } else {
    RSR_UNROLL
    for (int i = 0; i < count; ++i) at[i] = v[i];
  }
}
/// count rows of `part` floats, `pitch` apart; in one go where they touch.
template <int count, int part, int pitch>
RSR_DEVICE void load_rows(const float* at, float (&v)[count][part]) {
  if constexpr (part == pitch) {
    float all[count * part];
    load_floats(at, all);
    RSR_UNROLL
    for (int i = 0; i < count * part; ++i) v[i / part][i % part] = all[i];
  } else {
    RSR_UNROLL
    for (int i = 0; i < count; ++i) load_floats(at + i * pitch, v[i]);
  }
}

RSR_DEVICE float minus_infinity() {
  return simt::from_bits(0xFF800000U);
}

/// exp(x) for x <= 0; see kernels/attention/blocks_attend.h.
RSR_DEVICE float exp_of_score(float x) {
  constexpr float kMagic = 12582912.0f;
  const float clamped = -88.0f > x ? -88.0f : x;  // in this order a NaN stays one
  const float shifted = simt::fma(clamped, 1.44269504088896341f, kMagic);
  const float n = shifted - kMagic;
  const float high = simt::fma(n, -0.693145751953125f, clamped);
  const float r = simt::fma(n, -1.42860682030941723e-6f, high);
  float p = 1.0f / 720;
  p = simt::fma(p, r, 1.0f / 120);
  p = simt::fma(p, r, 1.0f / 24);
  p = simt::fma(p, r, 1.0f / 6);
  p = simt::fma(p, r, 0.5f);
  p = simt::fma(p, r, 1.0f);
  p = simt::fma(p, r, 1.0f);
  const uint32_t bits = simt::to_bits(p) + (simt::to_bits(shifted) << 23);
  return x <= -87.0f ? 0.0f : simt::from_bits(bits);
}

/// How two states become one: x' = fma(from.x, take, into.x * keep).
struct Merge {
  float top;
  float keep;
  float take;
};
RSR_DEVICE Merge merge_of_tops(float into, float from) {
  const float top = from > into ? from : into;
  return {top, exp_of_score(into - top), exp_of_score(from - top)};
}
RSR_DEVICE float merged(float into, float from, float keep, float take) {
  return simt::fma(from, take, into * keep);
}

/// Floats as unsigned integers of the same order; NaNs at its ends.
RSR_DEVICE uint32_t ordered(float x) {
  const uint32_t bits = simt::to_bits(x);
  return bits ^ ((bits >> 31) != 0 ? 0xFFFFFFFFU : 0x80000000U);
}
RSR_DEVICE float from_ordered(uint32_t key) {
  return simt::from_bits(key ^ ((key >> 31) != 0 ? 0x80000000U : 0xFFFFFFFFU));
}

RSR_DEVICE int smaller(int a, int b) {
  return a < b ? a : b;
}

}  // namespace
}  // namespace rsr::cuda::RSR_SIMT
