// Four far streams: a thread's tiles are cut into four ranges that are read side by side, each
// prefetched into L1 and, further ahead, into L2 (what each brings: kernels/matvec/avx512_i8.h).
#include <immintrin.h>

#include "kernels/repeat.h"
#include "kernels/scan/scan.h"

namespace rsr::kernels {
namespace {

constexpr int kStreams = 4;
constexpr int kNear = 1024;
constexpr int kFar = 2048;

/// sums[row] += dot product of the row's four codes with four bytes at x. As one instruction
/// written out: GCC 12 otherwise broadcasts into a register first.
inline RSR_INLINE void dot(__m512i& sums, __m512i codes, const int8_t* x) {
  asm("vpdpbusd %2%{1to16%}, %1, %0"
      : "+v"(sums)
      : "v"(codes), "m"(*reinterpret_cast<const int8_t(*)[4]>(x)));
}

/// The tiles tile, tile + far, ... of `streams` streams.
template <int streams>
void scan_tiles(const ScanI8& p, int64_t tile, int64_t far) {
  __m512i high[streams];
  __m512i low[streams];
  repeat<streams>([&](auto s) RSR_INLINE { high[s] = low[s] = _mm512_setzero_si512(); });
  const int64_t stream_bytes = far * p.steps * kScanLineBytes;
  const uint8_t* line = p.lines + tile * p.steps * kScanLineBytes;
  const int8_t* x = p.x;
  for (const int8_t* end = x + p.steps * kScanXBytes; x != end; x += kScanXBytes) {
    repeat<streams>([&](auto s) RSR_INLINE {
      const uint8_t* at = line + s * stream_bytes;
      _mm_prefetch(at + kNear, _MM_HINT_T0);
      _mm_prefetch(at + kFar, _MM_HINT_T2);
      const __m512i codes = _mm512_load_si512(at);
      dot(high[s], codes, x);
      dot(low[s], codes, x + kScanStepCols);
    });
    line += kScanLineBytes;
  }
  repeat<streams>([&](auto s) RSR_INLINE {
    const int64_t row = (tile + s * far) * kScanTileRows;
    _mm512_storeu_si512(p.high + row, high[s]);
    _mm512_storeu_si512(p.low + row, low[s]);
  });
}

}  // namespace

void scan_i8_i16_avx512vnni(const ScanI8& p, int64_t tile_begin, int64_t tile_end) noexcept {
  const int64_t far = (tile_end - tile_begin) / kStreams;
  int64_t tile = tile_begin;
  for (; tile < tile_begin + far; ++tile) scan_tiles<kStreams>(p, tile, far);
  for (tile = tile_begin + kStreams * far; tile < tile_end; ++tile) scan_tiles<1>(p, tile, 0);
}

}  // namespace rsr::kernels
