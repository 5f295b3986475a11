// The formats of packed weights: which bits of which byte belong to which weight.
//
// All formats store lines of 64 bytes, on 64-byte boundaries. A line holds 16 rows (a tile) of some
// consecutive columns; the dword r of a line, little-endian, belongs to row r of the tile. The
// lines of a tile follow each other along the columns, tiles follow each other along the rows:
//
//   lines[tile][line][64],   tile = row / 16
//
// Codes are unsigned: ternary value + 1 in {0, 1, 2}; binary the bit itself ({0, 1}, or for signs
// 0 meaning -1 and 1 meaning +1). Padding columns hold the code 1 in ternary formats and 0 in b1;
// they meet zeros in x. Padding rows hold the same.
//
// t2, 2 bits, 16 columns per line.
//   byte b of a dword = columns b, b+4, b+8, b+12 in bits 1:0, 3:2, 5:4, 7:6
//   so AND with 0x03 << 2f leaves the four consecutive columns 4f .. 4f+3 in the bytes of a dword:
//   what one dot-product instruction multiplies with four int8 activations.
//
// t5, 1.6 bits, 20 columns per line: five trits in a byte (3^5 = 243 of 256 codes).
//   A super-block is 4 lines and 80 columns (the last one of a row has n <= 4 lines, 20 n columns).
//   Byte b of line i = columns 16i+b, 16i+b+4, 16i+b+8, 16i+b+12 (its "quad", q = sum of code 3^j,
//   0 .. 80) and column 16n+4i+b (its "fifth" trit t):
//     q < 64:   byte = t << 6 | q
//     q >= 64:  byte = 0xC0 | (17 t + q - 64)
//   The quads of line i are, as 2-bit codes, line i of t2; the fifths of all n lines make one more
//   line of t2. Two 64-byte table look-ups, chosen by "byte >= 0xC0", decode quads; a third the
//   fifths of the escaped codes; the others have their fifth in the top bits already.
//
// t3, 1.78 bits, 18 columns per line: three trits in five bits, six times in a dword.
//   Bits 5g+4 .. 5g of a dword = columns 3g, 3g+1, 3g+2: code0 + 3 code1 + 9 code2 (0 .. 26).
//   Bits 31:30 are zero. For float activations: a code is the index into a table of the 27 sums
//   that three inputs can have.
//
// b1, 1 bit, 32 columns per line.
//   bit i of byte b = column 4i+b; so AND with 1 << i leaves four consecutive columns, as in t2.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace rsr::matrix {

enum class Format : uint8_t { t5, t2, t3, b1 };

inline constexpr Format kAllFormats[] = {Format::t5, Format::t2, Format::t3, Format::b1};

inline constexpr int kTileRows = 16;
inline constexpr int kLineBytes = 64;
inline constexpr int kT5BlockLines = 4;
inline constexpr int kT5EscapedFrom = 64;  // quads from here on use the escaped codes
inline constexpr int kT5Escape = 0xC0;

constexpr const char* format_name(Format format) {
  constexpr const char* kNames[] = {"t5", "t2", "t3", "b1"};
  return kNames[static_cast<int>(format)];
}

constexpr std::optional<Format> format_from_name(std::string_view name) {
  for (const Format format : kAllFormats) {
    if (name == format_name(format)) return format;
  }
  return std::nullopt;
}

/// Columns of a line.
constexpr int line_cols(Format format) {
  constexpr int kCols[] = {20, 16, 18, 32};
  return kCols[static_cast<int>(format)];
}

constexpr bool is_ternary(Format format) {
  return format != Format::b1;
}

/// The escape code of t5 for a quad (0 .. 80) and a fifth trit (0 .. 2).
constexpr uint8_t t5_encode(int quad, int fifth) {
  return static_cast<uint8_t>(
      quad < kT5EscapedFrom ? fifth << 6 | quad : kT5Escape | (17 * fifth + quad - kT5EscapedFrom));
}

/// The four codes of a quad as 2-bit fields, first column lowest: a byte of t2.
constexpr uint8_t quad_fields(int quad) {
  return static_cast<uint8_t>(quad % 3 | quad / 3 % 3 << 2 | quad / 9 % 3 << 4 | quad / 27 << 6);
}

/// What every byte of t5 means; the 13 bytes that mean nothing have `quad` -1.
struct T5Meaning {
  int quad = -1;
  int fifth = 0;
};
constexpr T5Meaning t5_decode(uint8_t byte) {
  if (byte < kT5Escape) return {byte & 63, byte >> 6};
  const int index = byte & 63;
  return index < 51 ? T5Meaning{kT5EscapedFrom + index % 17, index / 17} : T5Meaning{};
}

}  // namespace rsr::matrix
