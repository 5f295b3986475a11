// Operation peak: how many multiply-adds a core can do when nothing waits for memory. Benchmarks
// hold the products against it; no product calls it.
//
// A kernel keeps 8 or kPeakChains accumulators in registers, as many as a unit's latency times its
// units need, and adds `rounds` times the dot product of two constant vectors to each of them:
//
//   peak_i8:  lane += sum over 4 bytes of unsigned a * signed b    (mod 2^32)
//   peak_pairs_i8: lane += sum over 2 bytes of unsigned a * signed b    (mod 2^16)
//   peak_f32: lane += a * b
//   peak_tiles_i8: lane += sum over 64 bytes of unsigned a * signed b (mod 2^32), in tiles of lanes
//
// One lane of the first accumulator is given back, so that a test can see that the work was done.
// The compiler is kept from moving constant parts out of the loop by empty assembly statements.
#pragma once

#include <cstdint>

namespace rsr::kernels {

inline constexpr int kPeakChains = 12;

/// 0 <= a; |a * b| below 2^14, so that no step of AVX2 saturates. Pairs are what there is without a
/// dot product: two instructions, and 16 bits that a product must empty before they overflow.
struct PeakI8 {
  int64_t rounds = 0;
  int8_t a = 1;
  int8_t b = 1;
  int32_t lane = 0;           // out: one lane of the first accumulator, as above
  int64_t multiply_adds = 0;  // out: done by all accumulators
};

struct PeakF32 {
  int64_t rounds = 0;
  float a = 1;
  float b = 1;
  float lane = 0;             // out: one lane of the first accumulator, rounds * a * b
  int64_t multiply_adds = 0;  // out: done by all accumulators
};

using PeakI8Function = void(PeakI8& p) noexcept;
using PeakF32Function = void(PeakF32& p) noexcept;

#define PEAK_I8(isa) PeakI8Function peak_i8_##isa;
#define PEAK_PAIRS_I8(isa) PeakI8Function peak_pairs_i8_##isa;
#define PEAK_TILES_I8(isa) PeakI8Function peak_tiles_i8_##isa;
#define PEAK_F32(isa) PeakF32Function peak_f32_##isa;
#include "kernels/peak/kernels.inc"

}  // namespace rsr::kernels
