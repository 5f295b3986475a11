// Operation lanes: the sums of RSR's column groups, for indexes in which each group has a lane
// (drawn in segment/lane_groups.h). From sums to rows it is a small step that segment/lane_forms.h
// does for all instruction sets.
//
//   sums[block][lane] = sum over the rounds of the block, the four slots of the lane, of x[column]
//
// int8: modulo 2^32, so that partial sums may wrap. float: in double, an addition for each slot, in
// the order of tiles, rounds and slots (an empty slot adds 0): the bits are the same everywhere.
#pragma once

#include <cstdint>

namespace rsr::kernels {

inline constexpr int kLanesLineBytes = 64;
inline constexpr int kLanesPerLine = 16;
inline constexpr int kLanesSlots = 4;
inline constexpr int kLanesWindow = 255;
inline constexpr int kLanesMaxLines = 5;

template <class X, class Sum>
struct Lanes {
  const uint8_t* slots = nullptr;        // [rounds][lines][64], on a 64-byte boundary
  const uint16_t* starts = nullptr;      // [rounds]
  const int64_t* cell_rounds = nullptr;  // [blocks * tiles + 1]
  int lines = 1;                         // 1 to kLanesMaxLines
  int64_t cols = 0;
  int64_t tile_cols = 0;
  int64_t tiles = 0;  // of the matrix; those from tile_begin to tile_end take part
  int64_t tile_begin = 0;
  int64_t tile_end = 0;
  const X* x = nullptr;  // [cols]; nothing behind it is read
  Sum* sums = nullptr;   // [blocks of the range][lines * 16], on a 64-byte boundary
};
using LanesI8 = Lanes<int8_t, uint32_t>;
using LanesF32 = Lanes<float, double>;

/// Kernels sum the blocks [block_begin, block_end).
using LanesI8Function = void(const LanesI8& p, int64_t block_begin, int64_t block_end) noexcept;
using LanesF32Function = void(const LanesF32& p, int64_t block_begin, int64_t block_end) noexcept;

#define LANES_I8(isa) LanesI8Function lanes_i8_##isa;
#define LANES_F32(isa) LanesF32Function lanes_f32_##isa;
#include "kernels/lanes/kernels.inc"

}  // namespace rsr::kernels
