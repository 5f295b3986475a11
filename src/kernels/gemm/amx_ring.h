// Two tiles of rows times one or two tiles of vectors by AMX, and how their weights are decoded
// meanwhile.
//
// Two by two are the four sums that a core needs to have in work at a time; they stay in registers
// for all columns of a group. Of the weights only a ring is ever decoded, in the first cache: while
// it is multiplied, the lines that come later are decoded into the places that are done, line by
// line between the products, by units that those leave idle. So each pair of tiles of vectors
// decodes again. A panel that is decoded once for all of them was slower: it has to come from the
// second cache then, as the inputs do.
#pragma once

#include <immintrin.h>

#include "kernels/amx_tiles.h"
#include "kernels/gemm/gemm.h"
#include "kernels/repeat.h"

namespace rsr::kernels {
namespace {

/// Lines of two tiles of rows, which may be the same one, to the end of a group of columns.
struct Lines {
  const uint8_t* of_tile[2] = {};
  int64_t count = 0;

  Lines from(int64_t line) const {
    return {{of_tile[0] + line * kMatvecLineBytes, of_tile[1] + line * kMatvecLineBytes},
            count - line};
  }
  /// The first lines of the tiles that lie `ahead` bytes behind these.
  void prefetch(int lines, int64_t ahead) const {
    for (int64_t i = 0; i < lines * kMatvecLineBytes; i += kMatvecLineBytes) {
      _mm_prefetch(of_tile[0] + ahead + i, _MM_HINT_T1);
      _mm_prefetch(of_tile[1] + ahead + i, _MM_HINT_T1);
    }
  }
};

/// A chunk of decoded weights of two tiles of rows, and as a ring the begin of the next one: when a
/// chunk is begun, its first kLeadLines lines are there.
template <class Format>
struct Ring {
  static constexpr int kProducts = Format::kChunkLines * Format::kLineSteps / kTileSteps;

  alignas(64) uint8_t codes[2][kProducts * kTileBytes];

  /// The lines [from, to) of a chunk; zeros behind the last one that there is.
  void decode(const Lines& chunk, int from, int to) {
    constexpr int64_t kLineCodes = Format::kLineSteps * kMatvecLineBytes;
    const int64_t left = chunk.count - from;
    const int64_t count = left < 0 ? 0 : left < to - from ? left : to - from;
    for (int r = 0; r < 2; ++r) {
      uint8_t* out = codes[r] + from * kLineCodes;
      Format::decode(chunk.of_tile[r] + from * kMatvecLineBytes, count, out);
      for (int64_t i = count * kLineCodes; i < (to - from) * kLineCodes; i += kMatvecLineBytes) {
        _mm512_store_si512(out + i, _mm512_setzero_si512());
      }
    }
  }
};

/// The inputs of a pair of tiles of vectors.
struct Inputs {
  const int8_t* of_tile[2] = {};
  int64_t stride = 0;
};

/// Products of a whole chunk, while the rest of it and the begin of the `coming` one are decoded.
template <class Format, int vectors>
__attribute__((noinline)) void multiply_and_decode(Ring<Format>& ring, const Inputs& x,
                                                   const Lines& chunk, const Lines& coming) {
  constexpr int kQuarters = 4 * Ring<Format>::kProducts;
  constexpr int kLines = Format::kChunkLines;
  const Format format;
  uint8_t* const codes0 = ring.codes[0];
  uint8_t* const codes1 = ring.codes[1];
  const uint8_t* const now0 = chunk.of_tile[0];
  const uint8_t* const now1 = chunk.of_tile[1];
  const uint8_t* const next0 = coming.of_tile[0];
  const uint8_t* const next1 = coming.of_tile[1];
  const int8_t* const x0 = x.of_tile[0];
  const int8_t* const x1 = x.of_tile[1];
  const int64_t stride = x.stride;
  // Keeps stores to the ring where they are written, between the loads of tiles around them. By
  // name: clang 14 does not capture what only an asm statement mentions.
  const auto hold = [&]() RSR_INLINE {
    const auto& codes = ring.codes;
    __asm__ volatile("" : : "m"(codes));
  };
  const auto decode = [&](auto quarter) RSR_INLINE {
    // The lines at equal distances, and the first one no earlier than the format may.
    constexpr int kAt = decltype(quarter){} - Format::kDelay;
    constexpr int kTurn = (kAt * kLines + kQuarters - 1) / kQuarters;
    hold();
    if constexpr (kAt >= 0 && kTurn < kLines && kTurn * kQuarters / kLines == kAt) {
      constexpr int kLine = Format::kLeadLines + kTurn;
      constexpr bool kRest = kLine < kLines;
      constexpr int kPlace = kRest ? kLine : kLine - kLines;
      format.decode_line((kRest ? now0 : next0) + kPlace * kMatvecLineBytes, kPlace, codes0);
      format.decode_line((kRest ? now1 : next1) + kPlace * kMatvecLineBytes, kPlace, codes1);
    }
    hold();
  };
  repeat<Ring<Format>::kProducts>([&](auto k) RSR_INLINE {
    decode(Index<4 * decltype(k){}>{});
    _tile_loadd(6, codes0 + k * kTileBytes, kTileRowBytes);
    _tile_loadd(4, x0 + k * kTileRowBytes, stride);
    _tile_dpbsud(0, 4, 6);
    decode(Index<4 * decltype(k){} + 1>{});
    _tile_loadd(7, codes1 + k * kTileBytes, kTileRowBytes);
    _tile_dpbsud(1, 4, 7);
    decode(Index<4 * decltype(k){} + 2>{});
    if constexpr (vectors > 1) {
      _tile_loadd(5, x1 + k * kTileRowBytes, stride);
      _tile_dpbsud(2, 5, 6);
    }
    decode(Index<4 * decltype(k){} + 3>{});
    if constexpr (vectors > 1) _tile_dpbsud(3, 5, 7);
  });
}

/// The first `products` of a chunk of which all is decoded, or all of them.
template <class Format, int vectors>
void multiply_alone(const Ring<Format>& ring, const Inputs& x, int64_t products) {
  publish();
  const int64_t most = Ring<Format>::kProducts;
  for (int64_t k = 0; k < products && k < most; ++k) {
    _tile_loadd(6, ring.codes[0] + k * kTileBytes, kTileRowBytes);
    _tile_loadd(4, x.of_tile[0] + k * kTileRowBytes, x.stride);
    _tile_dpbsud(0, 4, 6);
    _tile_loadd(7, ring.codes[1] + k * kTileBytes, kTileRowBytes);
    _tile_dpbsud(1, 4, 7);
    if constexpr (vectors > 1) {
      _tile_loadd(5, x.of_tile[1] + k * kTileRowBytes, x.stride);
      _tile_dpbsud(2, 5, 6);
      _tile_dpbsud(3, 5, 7);
    }
  }
  publish();  // before the ring is written again
}

}  // namespace
}  // namespace rsr::kernels
