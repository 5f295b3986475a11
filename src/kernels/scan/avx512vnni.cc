// Far streams: a thread's tiles are cut into ranges that are read side by side, each prefetched
// into L1 and, further ahead, into L2 (what each brings: kernels/matvec/avx512_i8.h). Four of them,
// or as many as leave registers for the sums of all vectors: two for 4 to 6, one for more.
#include <immintrin.h>

#include "kernels/repeat.h"
#include "kernels/scan/scan.h"

namespace rsr::kernels {
namespace {

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
template <int streams, int batch>
void scan_tiles(const ScanI8& p, int64_t tile, int64_t far) {
  __m512i high[streams * batch];
  __m512i low[streams * batch];
  repeat<streams * batch>([&](auto i) RSR_INLINE { high[i] = low[i] = _mm512_setzero_si512(); });
  const int64_t stream_bytes = far * p.steps * kScanLineBytes;
  const int64_t x_bytes = p.steps * kScanXBytes;
  const uint8_t* line = p.lines + tile * p.steps * kScanLineBytes;
  const int8_t* x = p.x;
  for (const int8_t* end = x + x_bytes; x != end; x += kScanXBytes) {
    repeat<streams>([&](auto s) RSR_INLINE {
      const uint8_t* at = line + s * stream_bytes;
      _mm_prefetch(at + kNear, _MM_HINT_T0);
      _mm_prefetch(at + kFar, _MM_HINT_T2);
      const __m512i codes = _mm512_load_si512(at);
      repeat<batch>([&](auto v) RSR_INLINE {
        dot(high[s * batch + v], codes, x + v * x_bytes);
        dot(low[s * batch + v], codes, x + v * x_bytes + kScanStepCols);
      });
    });
    line += kScanLineBytes;
  }
  repeat<streams>([&](auto s) RSR_INLINE {
    repeat<batch>([&](auto v) RSR_INLINE {
      const int64_t at = v * p.rows + (tile + s * far) * kScanTileRows;
      _mm512_storeu_si512(p.high + at, high[s * batch + v]);
      _mm512_storeu_si512(p.low + at, low[s * batch + v]);
    });
  });
}

template <int batch>
void scan(const ScanI8& p, int64_t begin, int64_t end) {
  constexpr int kStreams = batch <= 3 ? 4 : batch <= 6 ? 2 : 1;
  const int64_t far = (end - begin) / kStreams;
  int64_t tile = begin;
  for (; tile < begin + far; ++tile) scan_tiles<kStreams, batch>(p, tile, far);
  for (tile = begin + kStreams * far; tile < end; ++tile) scan_tiles<1, batch>(p, tile, 0);
}

using Scan = void(const ScanI8& p, int64_t begin, int64_t end);
constexpr Scan* kScans[kScanMostBatch] = {scan<1>, scan<2>, scan<3>, scan<4>,
                                          scan<5>, scan<6>, scan<7>, scan<8>};

}  // namespace

void scan_i8_i16_avx512vnni(const ScanI8& p, int64_t tile_begin, int64_t tile_end) noexcept {
  kScans[p.batch - 1](p, tile_begin, tile_end);
}

}  // namespace rsr::kernels
