// A window of 255 int8 is four registers, and a byte of the index finds its value in them with two
// permutes (by bit 7): 64 columns in four cycles of the permute unit, without a load per column.
// The dot product with ones adds the four slots of a lane.
#include <immintrin.h>

#include "kernels/lanes/lanes.h"
#include "kernels/repeat.h"

namespace rsr::kernels {
namespace {

// Four far streams, prefetched into L1 and, further ahead, into L2: see matvec/avx512_i8.h.
constexpr int kStreams = 4;
constexpr int kNear = 1024;
constexpr int kFar = 2048;

struct Window {
  __mmask64 mask[4];
};

/// Which bytes of a window exist: 255, or all columns of a narrower tile.
inline Window window_of(const LanesI8& p, int64_t tile) {
  const int64_t left = p.cols - tile * p.tile_cols;
  const int64_t width = left < p.tile_cols ? left : p.tile_cols;
  const int64_t bytes = width < kLanesWindow ? width : kLanesWindow;
  Window window;
  for (int q = 0; q < 4; ++q) {
    const int64_t n = bytes - int64_t{64} * q;
    window.mask[q] = n >= 64 ? ~__mmask64{0} : n <= 0 ? 0 : (__mmask64{1} << n) - 1;
  }
  return window;
}

/// A block's part of the index, as far as it is read.
struct Stream {
  const uint8_t* line;
  const uint16_t* start;
  int64_t rounds;
};

/// acc[lines] += one round; the stream moves on.
template <int lines>
inline RSR_INLINE void add_round(const int8_t* tile_x, const Window& window, Stream& stream,
                                 __m512i* acc) {
  const __m512i ones = _mm512_set1_epi8(1);
  const int8_t* x = tile_x + *stream.start++;
  const __m512i t0 = _mm512_maskz_loadu_epi8(window.mask[0], x);
  const __m512i t1 = _mm512_maskz_loadu_epi8(window.mask[1], x + 64);
  const __m512i t2 = _mm512_maskz_loadu_epi8(window.mask[2], x + 128);
  const __m512i t3 = _mm512_maskz_loadu_epi8(window.mask[3], x + 192);
  repeat<lines>([&](auto i) RSR_INLINE {
    const uint8_t* at = stream.line + i * kLanesLineBytes;
    _mm_prefetch(at + kNear, _MM_HINT_T0);
    _mm_prefetch(at + kFar, _MM_HINT_T2);
    const __m512i slots = _mm512_load_si512(at);
    const __mmask64 high = _mm512_movepi8_mask(slots);
    // Where the mask is zero, a slot stays what it was: first the low half, then the rest.
    __m512i v = _mm512_mask2_permutex2var_epi8(t0, slots, _knot_mask64(high), t1);
    v = _mm512_mask2_permutex2var_epi8(t2, v, high, t3);
    acc[i] = _mm512_dpbusd_epi32(acc[i], ones, v);
  });
  stream.line += int64_t{lines} * kLanesLineBytes;
}

/// The sums of `streams` blocks that are `stride` blocks apart, their rounds in turn.
template <int lines, int streams>
__attribute__((noinline)) void sum_far(const LanesI8& p, int64_t block, int64_t stride,
                                       uint32_t* sums) {
  __m512i acc[streams][lines];
  repeat<streams>([&](auto st) RSR_INLINE {
    repeat<lines>([&](auto i) RSR_INLINE { acc[st][i] = _mm512_setzero_si512(); });
  });
  for (int64_t tile = p.tile_begin; tile < p.tile_end; ++tile) {
    const Window window = window_of(p, tile);
    const int8_t* x = p.x + tile * p.tile_cols;
    Stream stream[streams];
    int64_t common = INT64_MAX;
    for (int st = 0; st < streams; ++st) {
      const int64_t* rounds = p.cell_rounds + (block + st * stride) * p.tiles + tile;
      stream[st] = {p.slots + rounds[0] * lines * kLanesLineBytes, p.starts + rounds[0],
                    rounds[1] - rounds[0]};
      common = stream[st].rounds < common ? stream[st].rounds : common;
    }
    for (int64_t round = 0; round < common; ++round) {
      repeat<streams>([&](auto st)
                          RSR_INLINE { add_round<lines>(x, window, stream[st], acc[st]); });
    }
    repeat<streams>([&](auto st) RSR_INLINE {
      for (int64_t round = common; round < stream[st].rounds; ++round) {
        add_round<lines>(x, window, stream[st], acc[st]);
      }
    });
  }
  repeat<streams>([&](auto st) RSR_INLINE {
    repeat<lines>([&](auto i) RSR_INLINE {
      _mm512_store_si512(sums + (st * stride * lines + i) * kLanesPerLine, acc[st][i]);
    });
  });
}

template <int lines>
void sum_blocks(const LanesI8& p, int64_t block_begin, int64_t block_end) {
  const int64_t stride = (block_end - block_begin) / kStreams;
  for (int64_t i = 0; i < stride; ++i) {
    sum_far<lines, kStreams>(p, block_begin + i, stride, p.sums + i * lines * kLanesPerLine);
  }
  for (int64_t block = block_begin + stride * kStreams; block < block_end; ++block) {
    sum_far<lines, 1>(p, block, 0, p.sums + (block - block_begin) * lines * kLanesPerLine);
  }
}

}  // namespace

void lanes_i8_avx512vbmi(const LanesI8& p, int64_t block_begin, int64_t block_end) noexcept {
  switch (p.lines) {
    case 1:
      return sum_blocks<1>(p, block_begin, block_end);
    case 2:
      return sum_blocks<2>(p, block_begin, block_end);
    case 3:
      return sum_blocks<3>(p, block_begin, block_end);
    case 4:
      return sum_blocks<4>(p, block_begin, block_end);
    default:
      return sum_blocks<5>(p, block_begin, block_end);
  }
}

}  // namespace rsr::kernels
