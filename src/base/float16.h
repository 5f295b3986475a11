// 16-bit floats, widened exactly.
#pragma once

#include <bit>
#include <cstdint>

namespace rsr::base {

/// bfloat16: the upper half of a float.
inline float from_bf16(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

/// IEEE half precision.
inline float from_f16(uint16_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000U) << 16;
  const uint32_t exponent = (bits >> 10) & 0x1FU;
  const uint32_t mantissa = bits & 0x3FFU;
  if (exponent == 0) {
    // Zero and subnormal halves: mantissa * 2^-24 is exact in a float.
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24F;
    return sign != 0 ? -magnitude : magnitude;
  }
  // Infinity and NaN keep an exponent of all ones; all others move to the float's bias.
  const uint32_t wide = exponent == 31 ? 255 : exponent + 112;
  return std::bit_cast<float>(sign | wide << 23 | mantissa << 13);
}

/// IEEE half precision, rounded to nearest, ties to even; infinity beyond its range.
inline uint16_t to_f16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const auto sign = static_cast<uint16_t>(bits >> 16 & 0x8000U);
  const uint32_t magnitude = bits & 0x7FFFFFFFU;
  if (magnitude > 0x7F800000U) return static_cast<uint16_t>(sign | 0x7E00U | (bits >> 13 & 0x1FFU));
  if (magnitude >= 0x477FF000U) return static_cast<uint16_t>(sign | 0x7C00U);  // from 65520 on
  if (magnitude < 0x38800000U) {  // below 2^-14: steps of 2^-24, counted by adding 2^23 steps
    const float steps = std::bit_cast<float>(magnitude) * 0x1p24F + 0x1p23F;
    return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(steps) & 0x7FFU));
  }
  const uint32_t rounded = magnitude + 0xFFFU + (magnitude >> 13 & 1U);
  return static_cast<uint16_t>(sign | ((rounded - 0x38000000U) >> 13));
}

}  // namespace rsr::base
