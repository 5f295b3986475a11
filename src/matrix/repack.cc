// From one format to another.
#include <algorithm>
#include <array>
#include <cstring>
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

/// Two codes of t3 (10 bits, six columns) as six 2-bit fields in the order of the columns.
struct T3Fields {
  std::array<uint16_t, 1024> of_two{};
};
constexpr T3Fields make_t3_fields() {
  T3Fields fields;
  for (int two = 0; two < 1024; ++two) {
    const int low = two & 31;
    const int high = two >> 5;
    const int six[] = {low % 3, low / 3 % 3, low / 9 % 3, high % 3, high / 3 % 3, high / 9 % 3};
    int out = 0;
    for (int i = 0; i < 6; ++i) out |= six[i] << 2 * i;
    fields.of_two[two] = static_cast<uint16_t>(out);
  }
  return fields;
}
constexpr T3Fields kT3Fields = make_t3_fields();

/// 16 fields in the order of the columns as a dword of t2: a 4 x 4 transposition.
uint32_t t2_dword(uint32_t fields) {
  const uint32_t near = (fields ^ fields >> 6) & 0x00CC00CCu;
  fields ^= near ^ near << 6;
  const uint32_t far = (fields ^ fields >> 12) & 0x0000F0F0u;
  return fields ^ far ^ far << 12;
}

/// One tile from t3 to t2: each row is a stream of 36 bits from a dword, taken off 32 at a time.
void t3_to_t2(const uint8_t* t3, int64_t lines, uint8_t* t2, int64_t t2_lines) {
  constexpr uint64_t kPadding = 0x5555555555555555u;
  for (int row = 0; row < kTileRows; ++row) {
    uint64_t stream = 0;
    int bits = 0;
    int64_t in = 0;
    for (int64_t out = 0; out < t2_lines; ++out) {
      if (bits < 32) {
        uint32_t v = 0;
        uint64_t fields = kPadding;
        if (in < lines) {
          std::memcpy(&v, t3 + in * kLineBytes + int64_t{4} * row, sizeof(v));
          fields = static_cast<uint64_t>(kT3Fields.of_two[v & 1023]) |
                   static_cast<uint64_t>(kT3Fields.of_two[v >> 10 & 1023]) << 12 |
                   static_cast<uint64_t>(kT3Fields.of_two[v >> 20 & 1023]) << 24;
        }
        ++in;
        // At most 30 bits are waiting; what is shifted out is padding only.
        stream |= fields << bits;
        bits += 36;
      }
      const uint32_t dword = t2_dword(static_cast<uint32_t>(stream));
      std::memcpy(t2 + out * kLineBytes + int64_t{4} * row, &dword, sizeof(dword));
      stream >>= 32;
      bits -= 32;
    }
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
  const bool from_t3 = format_ == Format::t3 && format == Format::t2;
  if (!to_t2 && !to_t5 && !from_t3) {
    by_codes(*this, out);
    return out;
  }
  for (int64_t tile = 0; tile < tiles(); ++tile) {
    const uint8_t* from = lines() + tile * tile_stride();
    uint8_t* to = out.lines() + tile * out.tile_stride();
    if (to_t2) t5_to_t2(from, lines_per_tile(), to, out.lines_per_tile());
    if (from_t3) t3_to_t2(from, lines_per_tile(), to, out.lines_per_tile());
    if (to_t5) t2_to_t5(from, lines_per_tile(), out.lines_per_tile(), to);
  }
  return out;
}

}  // namespace rsr::matrix
