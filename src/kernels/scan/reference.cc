#include "kernels/scan/scan.h"

namespace rsr::kernels {

void scan_i8_i16_reference(const ScanI8& p, int64_t tile_begin, int64_t tile_end) noexcept {
  for (int64_t row = tile_begin * kScanTileRows; row < tile_end * kScanTileRows; ++row) {
    const int64_t tile = row / kScanTileRows;
    const uint8_t* codes = p.lines + tile * p.steps * kScanLineBytes + row % kScanTileRows * 4;
    int32_t high = 0;
    int32_t low = 0;
    for (int64_t s = 0; s < p.steps; ++s) {
      for (int c = 0; c < kScanStepCols; ++c) {
        const int32_t code = codes[s * kScanLineBytes + c];
        high += code * p.x[s * kScanXBytes + c];
        low += code * p.x[s * kScanXBytes + kScanStepCols + c];
      }
    }
    p.high[row] = high;
    p.low[row] = low;
  }
}

}  // namespace rsr::kernels
