#include "matrix/random_packed.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <span>
#include <vector>

namespace rsr::matrix {
namespace {

constexpr int64_t kPoolLines = 256;  // 16 KiB: they stay in the first cache
constexpr uint64_t kPoolTails = 16;

class RandomLines {
 public:
  RandomLines(Format format, int64_t lines, int64_t cols, uint64_t seed)
      : format_(format),
        tail_begin_(format == Format::t5 ? (lines - 1) / kT5BlockLines * kT5BlockLines : lines - 1),
        tail_lines_(lines - tail_begin_),
        tail_cols_(cols - tail_begin_ * line_cols(format)),
        random_(seed),
        pool_(static_cast<size_t>(kPoolLines * kLineBytes)),
        tails_(kPoolTails * tail_bytes()) {
    make_lines(kTileRows, kPoolLines, kPoolLines * line_cols(format), pool_.data());
    for (uint64_t i = 0; i < kPoolTails; ++i) {
      make_lines(kTileRows, tail_lines_, tail_cols_, tails_.data() + i * tail_bytes());
    }
  }

  /// A tile of random codes, and of padding behind the last column.
  void fill_tile(uint8_t* out) {
    for (int64_t line = 0; line < tail_begin_; ++line, out += kLineBytes) {
      std::memcpy(out, pool_.data() + random_() % kPoolLines * kLineBytes, kLineBytes);
    }
    std::memcpy(out, tails_.data() + random_() % kPoolTails * tail_bytes(), tail_bytes());
  }

  /// Codes for `rows` rows and `cols` columns of a tile of `lines` lines; the rest is padding.
  void make_lines(int rows, int64_t lines, int64_t cols, uint8_t* out) {
    const bool ternary = is_ternary(format_);
    std::vector<uint8_t> codes(static_cast<size_t>(lines * line_cols(format_)));
    for (int row = 0; row < kTileRows; ++row) {
      std::fill(codes.begin(), codes.end(), static_cast<uint8_t>(ternary ? 1 : 0));
      for (int64_t c = 0; row < rows && c < cols; ++c) {
        codes[static_cast<size_t>(c)] = static_cast<uint8_t>(random_() % (ternary ? 3 : 2));
      }
      pack_row(format_, codes, row, out);
    }
  }

 private:
  size_t tail_bytes() const { return static_cast<size_t>(tail_lines_ * kLineBytes); }

  Format format_;
  // The last line, for t5 the last super-block: where padding columns lie.
  int64_t tail_begin_;
  int64_t tail_lines_;
  int64_t tail_cols_;
  std::mt19937_64 random_;
  std::vector<uint8_t> pool_;   // lines without padding
  std::vector<uint8_t> tails_;  // tails of tiles
};

}  // namespace

Packed random_packed(Format format, Alphabet alphabet, int64_t rows, int64_t cols, uint64_t seed) {
  Packed packed(format, alphabet, rows, cols, 0);
  RandomLines random(format, packed.lines_per_tile(), cols, seed);
  const int64_t whole = rows / kTileRows;
  for (int64_t tile = 0; tile < whole; ++tile) {
    random.fill_tile(packed.lines() + tile * packed.tile_stride());
  }
  if (whole < packed.tiles()) {
    random.make_lines(static_cast<int>(rows % kTileRows), packed.lines_per_tile(), cols,
                      packed.lines() + whole * packed.tile_stride());
  }
  return packed;
}

}  // namespace rsr::matrix
