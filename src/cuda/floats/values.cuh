// Codes of a dword as factors for floats, four at a time.
//
// 2.0f is bit 30 and -2.0f the bits 31 and 30: so two bits of a code, moved to the top of a word,
// are the float 2 * value, and one word holds the top bytes of four floats. A factor costs an
// operation and a half: a shift and a mask for four of them, and one to take each byte out. Sums
// come out twice as large as they are, which changes no bit but that of an overflow: floats.cu sees
// to that.
//
// Each struct: lines hold kLineUnits units; kSkipsZeros as floats.h says of infinities; prepare()
// of a row's dword, once; bytes(prepared, f) of field f (0 .. 4 kLineUnits - 1): byte b is the top
// byte of 2 * value of the field's column b.
#pragma once

#include "cuda/floats/floats.h"
#include "cuda/simt.h"

namespace rsr::cuda::RSR_SIMT {
namespace {

struct Ternary {
  static constexpr int kLineUnits = 1;
  static constexpr bool kSkipsZeros = false;
  /// Codes 0, 1, 2 become 11, 10, 01: -2, -0 (as good as 0 in a sum), 2.
  RSR_DEVICE static uint32_t prepare(uint32_t codes) { return ~codes; }
  RSR_DEVICE static uint32_t bytes(uint32_t prepared, int f) {
    return prepared << (6 - 2 * f) & 0xC0C0C0C0U;
  }
};

struct Binary {
  static constexpr int kLineUnits = 2;
  static constexpr bool kSkipsZeros = true;
  RSR_DEVICE static uint32_t prepare(uint32_t codes) { return codes; }
  RSR_DEVICE static uint32_t bytes(uint32_t prepared, int f) {
    return (f < 7 ? prepared << (6 - f) : prepared >> 1) & 0x40404040U;
  }
};

struct Signs {
  static constexpr int kLineUnits = 2;
  static constexpr bool kSkipsZeros = false;
  RSR_DEVICE static uint32_t prepare(uint32_t codes) { return ~codes; }
  RSR_DEVICE static uint32_t bytes(uint32_t prepared, int f) {
    return (prepared << (7 - f) & 0x80808080U) | 0x40404040U;
  }
};

/// 2 * value of the four columns of a field. Byte by byte the same way: shifts and masks, which
/// would do for the outer bytes, are taken apart by compilers and joined with bytes() to more than
/// one.
RSR_DEVICE void factors(uint32_t bytes, float (&twice)[4]) {
  twice[0] = simt::from_bits(simt::byte_permute(bytes, 0, 0x0444));
  twice[1] = simt::from_bits(simt::byte_permute(bytes, 0, 0x1444));
  twice[2] = simt::from_bits(simt::byte_permute(bytes, 0, 0x2444));
  twice[3] = simt::from_bits(simt::byte_permute(bytes, 0, 0x3444));
}

template <FloatType type>
RSR_DEVICE float widened(const void* x, int64_t at) {
  if constexpr (type == FloatType::f32) {
    return static_cast<const float*>(x)[at];
  } else {
    const uint16_t bits = static_cast<const uint16_t*>(x)[at];
    return type == FloatType::f16 ? simt::from_f16(bits) : simt::from_bf16(bits);
  }
}

struct alignas(16) Floats4 {
  float v[4];
};

/// Four from a place that is a multiple of four elements.
template <FloatType type>
RSR_DEVICE Floats4 widened_quad(const void* x, int64_t at) {
  if constexpr (type == FloatType::f32) {
    return *reinterpret_cast<const Floats4*>(static_cast<const float*>(x) + at);
  } else {
    const auto two = *reinterpret_cast<const simt::Words2*>(static_cast<const uint16_t*>(x) + at);
    Floats4 quad;
    RSR_UNROLL
    for (int i = 0; i < 4; ++i) {
      const auto bits = static_cast<uint16_t>(two.w[i / 2] >> i % 2 * 16 & 0xFFFFU);
      quad.v[i] = type == FloatType::f16 ? simt::from_f16(bits) : simt::from_bf16(bits);
    }
    return quad;
  }
}

}  // namespace
}  // namespace rsr::cuda::RSR_SIMT
