#include <gtest/gtest.h>

#include "segment/lane_groups.h"
#include "segment/test_matrices.h"

namespace rsr::segment {
namespace {

LaneGroups small_index(Alphabet alphabet) {
  const TestMatrix m = random_matrix(5, 9, alphabet, 0.4, 11);
  BuildOptions options;
  options.alphabet = alphabet;
  options.k = 2;
  options.tile_cols = 6;
  return *build_lanes(m.source(), 5, 9, options, 1e9).value();
}

bool same(const LaneGroups& a, const LaneGroups& b) {
  return a.rows == b.rows && a.cols == b.cols && a.tile_cols == b.tile_cols && a.k == b.k &&
         a.alphabet == b.alphabet && a.cell_rounds == b.cell_rounds && a.starts == b.starts &&
         std::equal(a.slots.data(), a.slots.data() + a.slots.size(), b.slots.data());
}

TEST(LaneBytes, ComeBackTheSame) {
  for (const Alphabet alphabet : kAlphabets) {
    const LaneGroups g = small_index(alphabet);
    const Result<LaneGroups> back = lanes_from_bytes(to_bytes(g));
    ASSERT_TRUE(back.ok()) << back.status().message();
    EXPECT_TRUE(same(g, *back));
    EXPECT_TRUE(is_lanes_image(to_bytes(g)));
  }
  const TestMatrix wide = random_matrix(5, 70'000, Alphabet::ternary, 0.3, 2);
  const LaneGroups g = *build_lanes(wide.source(), 5, 70'000, {.k = 4}, 1e9).value();
  EXPECT_TRUE(same(g, lanes_from_bytes(to_bytes(g)).value()));
  const LaneGroups none = *build_lanes(wide.source(), 0, 3, {.k = 4}, 1e9).value();
  EXPECT_TRUE(same(none, lanes_from_bytes(to_bytes(none)).value()));
}

TEST(LaneBytes, AreRefusedWhenTruncatedOrExtended) {
  std::vector<std::byte> bytes = to_bytes(small_index(Alphabet::ternary));
  for (size_t size = 0; size < bytes.size(); ++size) {
    // An exact copy, so that the sanitizer sees a read past the end.
    const std::vector<std::byte> part(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(size));
    EXPECT_FALSE(lanes_from_bytes(part).ok()) << size;
  }
  bytes.push_back(std::byte{0});
  EXPECT_FALSE(lanes_from_bytes(bytes).ok());
}

TEST(LaneBytes, WithAnyByteChangedAreRefusedOrValid) {
  for (const Alphabet alphabet : kAlphabets) {
    const std::vector<std::byte> good = to_bytes(small_index(alphabet));
    for (size_t i = 0; i < good.size(); ++i) {
      for (int change = 1; change < 256; ++change) {
        std::vector<std::byte> bad = good;
        bad[i] ^= static_cast<std::byte>(change);
        const Result<LaneGroups> g = lanes_from_bytes(bad);
        if (g.ok()) {
          EXPECT_TRUE(validate(*g).ok());
        }
      }
    }
  }
}

TEST(LaneBytes, WithAForgedSizeAllocateNothing) {
  std::vector<std::byte> bytes = to_bytes(small_index(Alphabet::binary));
  for (size_t field = 24; field < 56; field += 8) {
    for (const int top : {0x00, 0x20, 0x7F, 0xFF}) {
      std::vector<std::byte> bad = bytes;
      for (size_t i = 0; i < 7; ++i) bad[field + i] = std::byte{0xFF};
      bad[field + 7] = static_cast<std::byte>(top);
      EXPECT_FALSE(lanes_from_bytes(bad).ok()) << field;
    }
  }
  bytes[8] = std::byte{2};
  const Result<LaneGroups> newer = lanes_from_bytes(bytes);
  ASSERT_FALSE(newer.ok());
  EXPECT_EQ(newer.status().message(), "lanes: version 2, this is 1");
}

TEST(LaneBytes, ValidateSeesWhatKernelsRelyOn) {
  const auto refused = [](auto change) {
    LaneGroups g = small_index(Alphabet::ternary);
    change(g);
    return !validate(g).ok();
  };
  EXPECT_TRUE(refused([](LaneGroups& g) { g.starts[0] = 1; }));
  EXPECT_TRUE(refused([](LaneGroups& g) { g.slots[0] = 200; }));
  EXPECT_TRUE(refused([](LaneGroups& g) { g.starts.pop_back(); }));
  EXPECT_TRUE(refused([](LaneGroups& g) { --g.cell_rounds.back(); }));
  EXPECT_TRUE(refused([](LaneGroups& g) { g.k = 5; }));
  // A column in one lane too many.
  EXPECT_TRUE(refused([](LaneGroups& g) {
    for (int i = 0; i < kLaneLineBytes; ++i) {
      if (i / kSlotsOfLane == 7) g.slots[static_cast<size_t>(i)] = 0;
    }
  }));
}

}  // namespace
}  // namespace rsr::segment
