// From one format to another.
#include <algorithm>
#include <vector>

#include "matrix/packed.h"
#include "matrix/t5_tables.h"

namespace rsr::matrix {
namespace {

constexpr uint8_t kNoFifths = 0x55;  // a byte of t2 with four codes of 1

/// One tile between t5 and t2, which has `t2_lines`: the lines of a super-block and the line of its
/// fifths. The last line of fifths is missing in t2 when it would hold padding only.
void t5_to_t2(const uint8_t* t5, int64_t lines, uint8_t* t2, int64_t t2_lines) {
  const uint8_t* end = t2 + t2_lines * kLineBytes;
  for (int64_t block = 0; block < lines; block += kT5BlockLines) {
    const int64_t n = std::min<int64_t>(lines - block, kT5BlockLines);
    uint8_t* fifths = t2 + n * kLineBytes;
    for (int j = 0; j < kLineBytes; ++j) {
      unsigned all = kNoFifths;
      for (int64_t i = 0; i < n; ++i) {
        const uint8_t byte = t5[i * kLineBytes + j];
        t2[i * kLineBytes + j] = kT5.fields[byte];
        all = (all & ~(3u << 2 * i)) | static_cast<unsigned>(kT5.fifth[byte]) << 2 * i;
      }
      if (fifths < end) fifths[j] = static_cast<uint8_t>(all);
    }
    t5 += n * kLineBytes;
    t2 += (n + 1) * kLineBytes;
  }
}

void t2_to_t5(const uint8_t* t2, int64_t t2_lines, int64_t lines, uint8_t* t5) {
  const uint8_t* end = t2 + t2_lines * kLineBytes;
  for (int64_t block = 0; block < lines; block += kT5BlockLines) {
    const int64_t n = std::min<int64_t>(lines - block, kT5BlockLines);
    const uint8_t* fifths = t2 + n * kLineBytes;
    for (int64_t i = 0; i < n; ++i) {
      for (int j = 0; j < kLineBytes; ++j) {
        const int fifth = (fifths < end ? fifths[j] : kNoFifths) >> 2 * i & 3;
        t5[i * kLineBytes + j] = t5_encode(kT5.quad[t2[i * kLineBytes + j]], fifth);
      }
    }
    t5 += n * kLineBytes;
    t2 += (n + 1) * kLineBytes;
  }
}

/// Any formats, row by row through the codes.
void by_codes(const Packed& from, Packed& to) {
  std::vector<uint8_t> codes(static_cast<size_t>(from.layout().padded_cols()));
  std::vector<uint8_t> padded(static_cast<size_t>(to.layout().padded_cols()),
                              is_ternary(to.format()) ? 1 : 0);
  const size_t common = std::min(codes.size(), padded.size());
  for (int64_t row = 0; row < from.tiles() * kTileRows; ++row) {
    const int64_t tile = row / kTileRows;
    const int at = static_cast<int>(row % kTileRows);
    unpack_row(from.format(), from.lines() + tile * from.tile_stride(), at, codes);
    std::copy_n(codes.begin(), common, padded.begin());
    pack_row(to.format(), padded, at, to.lines() + tile * to.tile_stride());
  }
}

}  // namespace

Packed Packed::repacked(Format format) const {
  Packed out(format, alphabet_, rows_, cols(), layout_.group_size());
  const bool to_t2 = format_ == Format::t5 && format == Format::t2;
  const bool to_t5 = format_ == Format::t2 && format == Format::t5;
  if (!to_t2 && !to_t5) {
    by_codes(*this, out);
    return out;
  }
  for (int64_t tile = 0; tile < tiles(); ++tile) {
    const uint8_t* from = lines() + tile * tile_stride();
    uint8_t* to = out.lines() + tile * out.tile_stride();
    if (to_t2) t5_to_t2(from, lines_per_tile(), to, out.lines_per_tile());
    if (to_t5) t2_to_t5(from, lines_per_tile(), out.lines_per_tile(), to);
  }
  return out;
}

}  // namespace rsr::matrix
