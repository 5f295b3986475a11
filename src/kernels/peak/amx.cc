#include <immintrin.h>

#include "kernels/amx_tiles.h"
#include "kernels/peak/peak.h"

namespace rsr::kernels {

void peak_tiles_i8_amx(PeakI8& p) noexcept {
  alignas(64) int32_t sums[kTileVectors * 16];
  alignas(64) int8_t factor[kTileBytes];
  constexpr int kChains = 4;  // a product takes 52 cycles, and one begins every 16
  shape_tiles(kTileVectors);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (int8_t& byte : factor) byte = p.b;
  publish();
  _tile_loadd(4, factor, kTileRowBytes);
  for (int8_t& byte : factor) byte = p.a;
  publish();
  _tile_loadd(6, factor, kTileRowBytes);
  for (int64_t i = 0; i < p.rounds; ++i) {
    _tile_dpbsud(0, 4, 6);
    _tile_dpbsud(1, 4, 6);
    _tile_dpbsud(2, 4, 6);
    _tile_dpbsud(3, 4, 6);
  }
  _tile_stored(0, sums, kTileRowBytes);
  _tile_release();
  p.lane = sums[0];
  p.multiply_adds = p.rounds * kChains * kTileVectors * kTileBytes;
}

}  // namespace rsr::kernels
