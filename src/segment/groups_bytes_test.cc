#include <gtest/gtest.h>

#include "base/aligned.h"
#include "segment/column_groups.h"
#include "segment/test_matrices.h"

namespace rsr::segment {
namespace {

ColumnGroups small_index(Alphabet alphabet, Order order) {
  const TestMatrix m = random_matrix(7, 9, alphabet, 0.4, 11);
  return build(m.source(), 7, 9, {alphabet, order, 3, 5}).value();
}

// Runs every form that fits, on buffers of exactly the needed size: the sanitizers look on.
void use(const ColumnGroups& g) {
  if (g.rows > 100'000 || g.cols > 100'000) return;
  const std::vector<int8_t> x(static_cast<size_t>(g.cols), -128);
  std::vector<int32_t> y(static_cast<size_t>(g.rows));
  for (const Form form : kForms) {
    if (!check_form(form, g.alphabet, g.k).ok()) continue;
    std::vector<uint64_t> scratch(static_cast<size_t>(scratch_bytes(form, g)) / 8);
    multiply(form, Product<int8_t, int32_t>{&g, x.data(), y.data(), scratch.data()}, whole(g));
  }
}

bool same(const ColumnGroups& a, const ColumnGroups& b) {
  return a.rows == b.rows && a.cols == b.cols && a.tile_cols == b.tile_cols && a.k == b.k &&
         a.alphabet == b.alphabet && a.order == b.order && a.cell_groups == b.cell_groups &&
         a.cell_columns == b.cell_columns && a.patterns == b.patterns && a.lasts == b.lasts &&
         a.columns == b.columns;
}

TEST(GroupsBytes, ComeBackTheSame) {
  for (const Alphabet alphabet : kAlphabets) {
    for (const Order order : {Order::pattern_value, Order::gray_rank}) {
      const ColumnGroups g = small_index(alphabet, order);
      const Result<ColumnGroups> back = from_bytes(to_bytes(g));
      ASSERT_TRUE(back.ok()) << back.status().message();
      EXPECT_TRUE(same(g, *back));
      use(*back);
    }
  }
}

TEST(GroupsBytes, ComeBackTheSameForAWideMatrixAndForNoRows) {
  const TestMatrix wide = random_matrix(5, 70'000, Alphabet::ternary, 0.3, 2);
  const ColumnGroups g =
      build(wide.source(), 5, 70'000, {Alphabet::ternary, Order::gray_rank, 4, 0}).value();
  EXPECT_TRUE(same(g, from_bytes(to_bytes(g)).value()));
  const ColumnGroups none = build(wide.source(), 0, 3, {}).value();
  EXPECT_TRUE(same(none, from_bytes(to_bytes(none)).value()));
}

TEST(GroupsBytes, AreRefusedWhenTruncatedOrExtended) {
  std::vector<std::byte> bytes = to_bytes(small_index(Alphabet::ternary, Order::gray_rank));
  for (size_t size = 0; size < bytes.size(); ++size) {
    // An exact copy, so that the sanitizer sees a read past the end.
    const std::vector<std::byte> part(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(size));
    EXPECT_FALSE(from_bytes(part).ok()) << size;
  }
  bytes.push_back(std::byte{0});
  EXPECT_FALSE(from_bytes(bytes).ok());
}

TEST(GroupsBytes, WithAnyByteChangedAreRefusedOrSafe) {
  for (const Alphabet alphabet : kAlphabets) {
    const std::vector<std::byte> good = to_bytes(small_index(alphabet, Order::gray_rank));
    int accepted = 0;
    for (size_t i = 0; i < good.size(); ++i) {
      for (int change = 1; change < 256; ++change) {
        std::vector<std::byte> bad = good;
        bad[i] ^= static_cast<std::byte>(change);
        const Result<ColumnGroups> g = from_bytes(bad);
        if (!g.ok()) continue;
        ++accepted;
        EXPECT_TRUE(validate(*g).ok());
        use(*g);
      }
    }
    // A column exchanged for an unused one, or a pattern for its neighbour, is a valid other index.
    EXPECT_LT(accepted, static_cast<int>(good.size()) * 255 / 50);
  }
}

TEST(GroupsBytes, WithAForgedSizeAllocateNothing) {
  std::vector<std::byte> bytes = to_bytes(small_index(Alphabet::binary, Order::pattern_value));
  for (size_t field = 24; field < 64; field += 8) {
    for (const int top : {0x00, 0x20, 0x7F, 0xFF}) {
      std::vector<std::byte> bad = bytes;
      for (size_t i = 0; i < 7; ++i) bad[field + i] = std::byte{0xFF};
      bad[field + 7] = static_cast<std::byte>(top);
      EXPECT_FALSE(from_bytes(bad).ok()) << field;
    }
  }
  bytes[8] = std::byte{2};
  const Result<ColumnGroups> newer = from_bytes(bytes);
  ASSERT_FALSE(newer.ok());
  EXPECT_EQ(newer.status().code(), ErrorCode::unsupported);
  EXPECT_EQ(newer.status().message(), "column groups: version 2, this is 1");
}

}  // namespace
}  // namespace rsr::segment
