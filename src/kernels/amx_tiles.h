// Tile registers of AMX and their shapes; shared by the files that are compiled for it.
//
// Tiles 0 to 3 hold sums: [vectors][16 rows] of int32. 4 and 5 are left factors,
// [vectors][columns], 6 and 7 right ones, [steps of four columns][16 rows][4 columns].
//
// GCC 12 does not know that loads of tiles read memory: a statement for the compiler alone, such as
// publish(), must stand between such a load and what writes that memory, before or after it.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace rsr::kernels {
namespace {

constexpr int kTileVectors = 16;  // at most
constexpr int kTileSteps = 16;    // of four columns, at most
constexpr int kTileBytes = 1024;
constexpr int kTileRowBytes = 64;

inline void publish() {
  __asm__ volatile("" ::: "memory");
}

/// What LDTILECFG reads.
struct alignas(64) TileShapes {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};
};

/// Gives all tiles their full width, sums and left factors the height `vectors`. Takes 300 cycles.
inline void shape_tiles(int64_t vectors) {
  TileShapes shapes;
  for (int i = 0; i < 8; ++i) {
    shapes.row_bytes[i] = kTileRowBytes;
    shapes.rows[i] = static_cast<uint8_t>(i < 6 ? vectors : kTileSteps);
  }
  publish();
  _tile_loadconfig(&shapes);
}

}  // namespace
}  // namespace rsr::kernels
