// Where there is no bound, and the form as bytes.
#include "linear/head_scan_form.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "linear/head_scan.h"
#include "linear/head_scan_problem.h"

namespace rsr::linear {
namespace {

TEST(HeadScanForm, NothingWithoutABound) {
  Random random(7);
  HeadScan scan;
  Table table(20, 16);
  table.fill_normal(random);
  const Context context = Context::create({.threads = 2}).value();
  const auto form = make_head_scan_form(context.impl(), table.view);
  for (const float bad : {NAN, INFINITY, -INFINITY, 1e35f}) {
    std::vector<float> x = normal_vector(16, random);
    x[7] = bad;
    EXPECT_FALSE(scan.bound(context.impl(), *form, {x.data(), 1, 20})) << bad;
  }
  const Table wide(1, 65537);
  EXPECT_FALSE(make_head_scan_form(context.impl(), wide.view).has_value());
}

TEST(HeadScanForm, FormsSurviveAsBytes) {
  Random random(7);
  Table table(37, 50);
  table.fill_normal(random);
  const Context owner = Context::create({.threads = 2}).value();
  Context::Impl& context = owner.impl();
  const HeadScanForm form = *make_head_scan_form(context, table.view);
  std::vector<std::byte> bytes(static_cast<size_t>(head_scan_form_bytes(form)));
  write_head_scan_form(form, bytes);
  const HeadScanForm read = read_head_scan_form(bytes).value();
  // The same without a copy, where the bytes lie well.
  base::AlignedArray<std::byte> kept(bytes.size());
  std::copy(bytes.begin(), bytes.end(), kept.data());
  const auto keeper = std::make_shared<int>(0);
  {
    const HeadScanForm view = read_head_scan_form(kept.span(), keeper).value();
    EXPECT_EQ(view.lines.data() + view.lines.size(),
              reinterpret_cast<const uint8_t*>(kept.data() + kept.size()));
    EXPECT_EQ(keeper.use_count(), 2);
  }
  EXPECT_EQ(keeper.use_count(), 1);
  const std::vector<float> x = normal_vector(50, random);
  HeadScan scan;
  ASSERT_TRUE(scan.bound(context, form, {x.data(), 1, 37}));
  const HeadCandidates before = scan.candidates(context, table.view, {.best = 3});
  HeadScan other;
  ASSERT_TRUE(other.bound(context, read, {x.data(), 1, 37}));
  const HeadCandidates after = other.candidates(context, table.view, {.best = 3});
  EXPECT_TRUE(std::equal(before.ids.begin(), before.ids.end(), after.ids.begin(), after.ids.end()));
  for (size_t cut = 0; cut < bytes.size(); cut += 7) {
    EXPECT_FALSE(read_head_scan_form(std::span(bytes).first(cut)).ok());
  }
  for (size_t i = 0; i < 16; ++i) {  // a shape that the length does not fit
    std::vector<std::byte> bad = bytes;
    bad[i] ^= std::byte{0xC0};
    EXPECT_FALSE(read_head_scan_form(bad).ok()) << i;
  }
  std::vector<std::byte> bad = bytes;
  bad[16 + 2] |= std::byte{0x40};  // a column factor that is no power of two
  EXPECT_FALSE(read_head_scan_form(bad).ok());
  bytes[256 + 3] |= std::byte{0x80};  // a negative scale
  EXPECT_FALSE(read_head_scan_form(bytes).ok());
}

}  // namespace
}  // namespace rsr::linear
