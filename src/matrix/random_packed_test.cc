// Random packed matrices: valid, of all codes alike, and the same for the same seed.
#include "matrix/random_packed.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "matrix/check_packed.h"

namespace rsr::matrix {
namespace {

constexpr std::pair<Format, Alphabet> kKinds[] = {{Format::t5, Alphabet::ternary},
                                                  {Format::t2, Alphabet::ternary},
                                                  {Format::t3, Alphabet::ternary},
                                                  {Format::b1, Alphabet::binary},
                                                  {Format::b1, Alphabet::signs}};

TEST(RandomPacked, IsValidWhateverTheShape) {
  for (const auto& [format, alphabet] : kKinds) {
    for (const int64_t rows : {1, 15, 16, 17, 48}) {
      for (const int64_t cols : {1, 16, 19, 79, 80, 81, 101, 160, 640}) {
        const Status status = check_packed(random_packed(format, alphabet, rows, cols, 1));
        EXPECT_TRUE(status.ok()) << format_name(format) << " " << rows << " x " << cols << ": "
                                 << status.message();
      }
    }
  }
}

TEST(RandomPacked, ValuesAreEquallyLikely) {
  constexpr int64_t kRows = 160;
  constexpr int64_t kCols = 1003;
  for (const auto& [format, alphabet] : kKinds) {
    const Packed packed = random_packed(format, alphabet, kRows, kCols, 7);
    std::vector<int8_t> row(kCols);
    std::vector<int64_t> counts(3);
    for (int64_t r = 0; r < kRows; ++r) {
      packed.read_row(r, row.data());
      for (const int8_t value : row) ++counts[static_cast<size_t>(value + 1)];
    }
    const int64_t values = alphabet == Alphabet::ternary ? 3 : 2;
    for (const int64_t count : counts) {
      if (count == 0) continue;
      EXPECT_NEAR(static_cast<double>(count * values) / (kRows * kCols), 1.0, 0.05);
    }
    EXPECT_EQ(std::count(counts.begin(), counts.end(), 0), 3 - values) << format_name(format);
  }
}

TEST(RandomPacked, SeedsDecide) {
  const auto lines = [](uint64_t seed) {
    const Packed packed = random_packed(Format::t5, Alphabet::ternary, 40, 200, seed);
    return std::vector<uint8_t>(packed.lines(), packed.lines() + packed.nbytes());
  };
  EXPECT_EQ(lines(3), lines(3));
  EXPECT_NE(lines(3), lines(4));
}

}  // namespace
}  // namespace rsr::matrix
