#include "base/checksum.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace rsr::base {
namespace {

uint64_t checksum_of(const std::vector<uint8_t>& bytes, size_t hole = kNoHole) {
  return checksum(std::as_bytes(std::span(bytes)), hole);
}

std::vector<uint8_t> counted(size_t size) {
  std::vector<uint8_t> bytes(size);
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<uint8_t>(i * 7 + 3);
  return bytes;
}

// Other tools compute it as well (docs/prepared_models.md): the values are fixed for ever.
TEST(Checksum, KnownValues) {
  EXPECT_EQ(checksum({}), 0xDAAA9AD1260B3FFFu);
  EXPECT_EQ(checksum_of(counted(1)), 0x564341A7B1958E08u);
  EXPECT_EQ(checksum_of(counted(100)), 0xB3B2F472EE3FB528u);
}

TEST(Checksum, EveryBitAndTheLengthCount) {
  for (const size_t size : {1, 8, 31, 32, 33, 100}) {
    const std::vector<uint8_t> bytes = counted(size);
    const uint64_t right = checksum_of(bytes);
    for (size_t bit = 0; bit < 8 * size; ++bit) {
      std::vector<uint8_t> changed = bytes;
      changed[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
      EXPECT_NE(checksum_of(changed), right);
    }
    std::vector<uint8_t> longer = bytes;
    longer.push_back(0);
    EXPECT_NE(checksum_of(longer), right);
  }
}

TEST(Checksum, PiecesOfEverySizeGiveThatOfTheWhole) {
  for (const size_t size : {0, 1, 7, 8, 31, 32, 33, 64, 100, 1000}) {
    const std::vector<uint8_t> bytes = counted(size);
    const auto all = std::as_bytes(std::span(bytes));
    for (const size_t piece : {1, 3, 8, 31, 32, 33, 96, 1000}) {
      PiecewiseChecksum pieces;
      for (size_t at = 0; at < size; at += piece) {
        pieces.add(all.subspan(at, std::min(piece, size - at)));
      }
      EXPECT_EQ(pieces.value(), checksum_of(bytes)) << size << " in pieces of " << piece;
    }
  }
}

TEST(Checksum, TheHoleIsZeroWhateverStandsThere) {
  for (const size_t hole : {0, 8, 24, 32, 88}) {
    std::vector<uint8_t> zeroed = counted(96);
    std::fill_n(zeroed.begin() + static_cast<int64_t>(hole), 8, uint8_t{0});
    EXPECT_EQ(checksum_of(counted(96), hole), checksum_of(zeroed));
    EXPECT_NE(checksum_of(counted(96), hole), checksum_of(counted(96)));
  }
}

}  // namespace
}  // namespace rsr::base
