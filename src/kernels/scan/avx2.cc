// Without 8-bit dot products both factors are widened to 16 bits: the 8-bit multiply-add of AVX2
// saturates at 2 * 255 * 127.
#include <immintrin.h>

#include "kernels/scan/scan.h"

namespace rsr::kernels {
namespace {

constexpr int kStreams = 4;      // see avx512vnni.cc
constexpr int kBlockSteps = 32;  // lines of one stream before the next one's turn
constexpr int kNear = 1024;
constexpr int kFar = 2048;

/// Four rows in each vector, two sums a row: of columns 0 and 1, of columns 2 and 3.
struct Sums {
  __m256i high[4];
  __m256i low[4];
};

/// 16 copies' worth of four bytes, widened: a row's four columns, four times.
__m256i widen(const int8_t* four) {
  return _mm256_cvtepi8_epi16(
      _mm_castps_si128(_mm_broadcast_ss(reinterpret_cast<const float*>(four))));
}

void add_lines(const uint8_t* line, const int8_t* x, int64_t steps, Sums& sums) {
  __m256i h0 = sums.high[0], h1 = sums.high[1], h2 = sums.high[2], h3 = sums.high[3];
  __m256i l0 = sums.low[0], l1 = sums.low[1], l2 = sums.low[2], l3 = sums.low[3];
  for (int64_t s = 0; s < steps; ++s, line += kScanLineBytes, x += kScanXBytes) {
    _mm_prefetch(line + kNear, _MM_HINT_T0);
    _mm_prefetch(line + kFar, _MM_HINT_T2);
    const __m256i x_high = widen(x);
    const __m256i x_low = widen(x + kScanStepCols);
    const auto* rows = reinterpret_cast<const __m128i*>(line);
    const __m256i r0 = _mm256_cvtepu8_epi16(_mm_load_si128(rows));
    const __m256i r1 = _mm256_cvtepu8_epi16(_mm_load_si128(rows + 1));
    const __m256i r2 = _mm256_cvtepu8_epi16(_mm_load_si128(rows + 2));
    const __m256i r3 = _mm256_cvtepu8_epi16(_mm_load_si128(rows + 3));
    h0 = _mm256_add_epi32(h0, _mm256_madd_epi16(r0, x_high));
    l0 = _mm256_add_epi32(l0, _mm256_madd_epi16(r0, x_low));
    h1 = _mm256_add_epi32(h1, _mm256_madd_epi16(r1, x_high));
    l1 = _mm256_add_epi32(l1, _mm256_madd_epi16(r1, x_low));
    h2 = _mm256_add_epi32(h2, _mm256_madd_epi16(r2, x_high));
    l2 = _mm256_add_epi32(l2, _mm256_madd_epi16(r2, x_low));
    h3 = _mm256_add_epi32(h3, _mm256_madd_epi16(r3, x_high));
    l3 = _mm256_add_epi32(l3, _mm256_madd_epi16(r3, x_low));
  }
  sums = {{h0, h1, h2, h3}, {l0, l1, l2, l3}};
}

/// The two sums of each of 16 rows added.
void store(const __m256i (&sums)[4], int32_t* out) {
  for (int64_t i = 0; i < 4; i += 2) {
    // Within each 128-bit half: rows 0 1 of the first, rows 0 1 of the second.
    const __m256i added = _mm256_hadd_epi32(sums[i], sums[i + 1]);
    const __m256i in_order = _mm256_permute4x64_epi64(added, 0b11'01'10'00);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + 4 * i), in_order);
  }
}

/// The tiles tile, tile + far, ... of `streams` streams. A block of lines stays in L1 while each
/// vector passes over it.
template <int streams>
void scan_tiles(const ScanI8& p, int64_t tile, int64_t far) {
  Sums sums[streams][kScanMostBatch] = {};
  const int64_t tile_bytes = p.steps * kScanLineBytes;
  for (int64_t begin = 0; begin < p.steps; begin += kBlockSteps) {
    const int64_t left = p.steps - begin;
    const int64_t steps = left < kBlockSteps ? left : kBlockSteps;
    for (int s = 0; s < streams; ++s) {
      const uint8_t* line = p.lines + (tile + s * far) * tile_bytes + begin * kScanLineBytes;
      for (int64_t v = 0; v < p.batch; ++v) {
        add_lines(line, p.x + (v * p.steps + begin) * kScanXBytes, steps, sums[s][v]);
      }
    }
  }
  for (int s = 0; s < streams; ++s) {
    for (int64_t v = 0; v < p.batch; ++v) {
      const int64_t at = v * p.rows + (tile + s * far) * kScanTileRows;
      store(sums[s][v].high, p.high + at);
      store(sums[s][v].low, p.low + at);
    }
  }
}

}  // namespace

void scan_i8_i16_avx2(const ScanI8& p, int64_t tile_begin, int64_t tile_end) noexcept {
  const int64_t far = (tile_end - tile_begin) / kStreams;
  int64_t tile = tile_begin;
  for (; tile < tile_begin + far; ++tile) scan_tiles<kStreams>(p, tile, far);
  for (tile = tile_begin + kStreams * far; tile < tile_end; ++tile) scan_tiles<1>(p, tile, 0);
}

}  // namespace rsr::kernels
