// Formats bit by bit: packing, unpacking, repacking, sizes.
#include "matrix/packed.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <vector>

namespace rsr::matrix {
namespace {

Packed random_packed(Format format, Alphabet alphabet, int64_t rows, int64_t cols, int64_t group,
                     std::vector<int8_t>& values) {
  std::mt19937 random(static_cast<unsigned>(rows * 31 + cols));
  values.resize(static_cast<size_t>(rows * cols));
  for (int8_t& v : values) {
    if (alphabet == Alphabet::ternary) v = static_cast<int8_t>(static_cast<int>(random() % 3) - 1);
    if (alphabet == Alphabet::binary) v = static_cast<int8_t>(random() % 2);
    if (alphabet == Alphabet::signs) v = random() % 2 != 0 ? 1 : -1;
  }
  const MatrixView view = alphabet == Alphabet::ternary  ? ternary(values, rows, cols)
                          : alphabet == Alphabet::binary ? binary(values, rows, cols)
                                                         : signs(values, rows, cols);
  return {format, alphabet, RowReader(view), rows, cols, group};
}

void expect_values(const Packed& packed, const std::vector<int8_t>& values) {
  std::vector<int8_t> row(static_cast<size_t>(packed.cols()));
  for (int64_t r = 0; r < packed.rows(); ++r) {
    packed.read_row(r, row.data());
    for (int64_t c = 0; c < packed.cols(); ++c) {
      ASSERT_EQ(row[static_cast<size_t>(c)], values[static_cast<size_t>(r * packed.cols() + c)])
          << format_name(packed.format()) << " row " << r << " column " << c;
    }
  }
}

constexpr std::pair<Format, Alphabet> kKinds[] = {{Format::t5, Alphabet::ternary},
                                                  {Format::t2, Alphabet::ternary},
                                                  {Format::t3, Alphabet::ternary},
                                                  {Format::b1, Alphabet::binary},
                                                  {Format::b1, Alphabet::signs}};

TEST(Packed, HoldsEveryValueOfEveryShape) {
  std::vector<int8_t> values;
  for (const auto& [format, alphabet] : kKinds) {
    for (const int64_t rows : {1, 16, 17, 40}) {
      for (const int64_t cols : {1, 4, 19, 20, 21, 40, 41, 60, 61, 79, 80, 81, 100, 200, 333}) {
        expect_values(random_packed(format, alphabet, rows, cols, 0, values), values);
      }
    }
  }
  for (const int64_t group : {7, 16, 64, 128}) {
    expect_values(random_packed(Format::t2, Alphabet::ternary, 20, 300, group, values), values);
    expect_values(random_packed(Format::b1, Alphabet::signs, 20, 300, group, values), values);
  }
}

TEST(Packed, BitsAreAsDrawn) {
  // Row 1 of a tile, columns counted up; every other row zero.
  std::vector<int8_t> values(2 * 80);
  for (int c = 0; c < 80; ++c) values[80 + c] = static_cast<int8_t>(c % 3 - 1);
  const RowReader reader(ternary(values, 2, 80));
  const Packed t2(Format::t2, Alphabet::ternary, reader, 2, 80, 0);
  EXPECT_EQ(t2.lines()[4 + 1], (1 % 3) | (5 % 3) << 2 | (9 % 3) << 4 | (13 % 3) << 6);
  const Packed t5(Format::t5, Alphabet::ternary, reader, 2, 80, 0);
  // Byte 2 of line 3: columns 50, 54, 58, 62 and fifth 64 + 12 + 2 = 78.
  const int quad = 50 % 3 + 3 * (54 % 3) + 9 * (58 % 3) + 27 * (62 % 3);
  EXPECT_EQ(t5.lines()[3 * 64 + 4 + 2], t5_encode(quad, 78 % 3));
  const Packed t3(Format::t3, Alphabet::ternary, reader, 2, 80, 0);
  const unsigned low = t3.lines()[4] | t3.lines()[5] << 8;
  EXPECT_EQ(low >> 5 & 31, 3 % 3 + 3 * (4 % 3) + 9 * (5 % 3));
  for (int c = 0; c < 80; ++c) values[80 + c] = static_cast<int8_t>(c % 3 == 0);
  const RowReader bits(binary(values, 2, 80));
  const Packed b1(Format::b1, Alphabet::binary, bits, 2, 80, 0);
  for (int i = 0; i < 8; ++i) EXPECT_EQ(b1.lines()[4 + 3] >> i & 1, (4 * i + 3) % 3 == 0);
}

TEST(Packed, T5CodesAreDistinctAndDecode) {
  std::set<uint8_t> codes;
  for (int quad = 0; quad < 81; ++quad) {
    for (int fifth = 0; fifth < 3; ++fifth) {
      const uint8_t byte = t5_encode(quad, fifth);
      EXPECT_TRUE(codes.insert(byte).second);
      EXPECT_EQ(t5_decode(byte).quad, quad);
      EXPECT_EQ(t5_decode(byte).fifth, fifth);
    }
  }
  int meaningless = 0;
  for (int byte = 0; byte < 256; ++byte) {
    meaningless += t5_decode(static_cast<uint8_t>(byte)).quad < 0;
  }
  EXPECT_EQ(meaningless, 13);
}

TEST(Packed, EveryFormatBecomesEveryOther) {
  std::vector<int8_t> values;
  for (const int64_t cols : {1, 16, 20, 33, 60, 64, 80, 81, 2048, 2049}) {
    for (const Format from : {Format::t5, Format::t2, Format::t3}) {
      const Packed packed = random_packed(from, Alphabet::ternary, 18, cols, 0, values);
      for (const Format to : {Format::t5, Format::t2, Format::t3}) {
        const Packed other = packed.repacked(to);
        expect_values(other, values);
        // Byte for byte what packing the matrix directly gives, padding included.
        const Packed direct(to, Alphabet::ternary, RowReader(ternary(values, 18, cols)), 18, cols,
                            0);
        EXPECT_EQ(std::vector<uint8_t>(other.lines(), other.lines() + other.nbytes()),
                  std::vector<uint8_t>(direct.lines(), direct.lines() + direct.nbytes()))
            << format_name(from) << " to " << format_name(to) << " " << cols;
      }
    }
  }
}

// Matrices of 1 MB and more with 2,048 columns and more: at most 1% above the stated bits.
TEST(Packed, SizesAreAsStated) {
  const auto bits = [](Format format, int64_t rows, int64_t cols) {
    const Alphabet alphabet = is_ternary(format) ? Alphabet::ternary : Alphabet::binary;
    const Packed packed(format, alphabet, rows, cols, 0);
    return 8.0 * static_cast<double>(packed.nbytes()) / static_cast<double>(rows * cols);
  };
  for (const int64_t rows : {2560, 4096, 640 * 4}) {
    for (const int64_t cols : {2048, 2560, 3072, 4096, 6912, 14336, 23040}) {
      EXPECT_LE(bits(Format::t5, rows, cols), 1.6 * 1.01) << cols;
      EXPECT_LE(bits(Format::t2, rows, cols), 2.0 * 1.01) << cols;
      EXPECT_LE(bits(Format::t3, rows, cols), 16.0 / 9 * 1.01) << cols;
      EXPECT_LE(bits(Format::b1, rows, cols), 1.0 * 1.01) << cols;
    }
  }
}

}  // namespace
}  // namespace rsr::matrix
