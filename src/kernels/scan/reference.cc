#include "kernels/scan/scan.h"

namespace rsr::kernels {

namespace {

void scan_row(const ScanI8& p, int64_t row, int64_t v) {
  const int64_t tile = row / kScanTileRows;
  const uint8_t* codes =
      p.lines + tile * p.steps * kScanLineBytes + row % kScanTileRows * kScanStepCols;
  const int8_t* x = p.x + v * p.steps * kScanXBytes;
  int32_t high = 0;
  int32_t low = 0;
  for (int64_t s = 0; s < p.steps; ++s) {
    for (int c = 0; c < kScanStepCols; ++c) {
      const int32_t code = codes[s * kScanLineBytes + c];
      high += code * x[s * kScanXBytes + c];
      low += code * x[s * kScanXBytes + kScanStepCols + c];
    }
  }
  p.high[v * p.rows + row] = high;
  p.low[v * p.rows + row] = low;
}

}  // namespace

void scan_i8_i16_reference(const ScanI8& p, int64_t tile_begin, int64_t tile_end) noexcept {
  for (int64_t row = tile_begin * kScanTileRows; row < tile_end * kScanTileRows; ++row) {
    for (int64_t v = 0; v < p.batch; ++v) scan_row(p, row, v);
  }
}

}  // namespace rsr::kernels
