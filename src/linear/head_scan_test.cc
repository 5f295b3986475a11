// The candidates hold what the full head would choose, whatever the rows, and their logits have its
// bits: adversarial tables and vectors, every instruction set of this machine.
#include "linear/head_scan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "linear/head_scan_problem.h"

namespace rsr::linear {
namespace {

/// One context for each instruction set of this machine.
std::vector<Context> all_contexts() {
  std::vector<Context> contexts;
  for (const base::Isa isa : base::kAllIsas) {
    if (!base::has_isa(isa)) continue;
    contexts.push_back(Context::create({.threads = 2, .isa = base::isa_name(isa)}).value());
  }
  return contexts;
}

/// A vector and what is asked of it.
struct Case {
  const float* x = nullptr;
  int64_t rows = 0;
  int64_t best = 1;
  double window = 0;
  const ScoreChanges* changes = nullptr;
};

/// The rows that a query wants, by the full head.
std::vector<int32_t> wanted_rows(const Case& query, const std::vector<float>& logits) {
  std::vector<float> scores(logits.begin(), logits.begin() + query.rows);
  if (query.changes != nullptr) {
    for (const int32_t id : query.changes->ids) {
      if (id >= query.rows) continue;
      float& score = scores[static_cast<size_t>(id)];
      score = query.changes->change(id, score);
    }
  }
  std::vector<int32_t> ids(scores.size());
  std::iota(ids.begin(), ids.end(), 0);
  std::stable_sort(ids.begin(), ids.end(), [&](int32_t a, int32_t b) {
    return scores[static_cast<size_t>(a)] > scores[static_cast<size_t>(b)];
  });
  auto count = static_cast<size_t>(std::min(query.best, query.rows));
  const double last = scores[static_cast<size_t>(ids[count - 1])];
  while (query.window > 0 && count < ids.size() &&
         scores[static_cast<size_t>(ids[count])] > last - query.window) {
    ++count;
  }
  ids.resize(count);
  std::sort(ids.begin(), ids.end());
  return ids;
}

class HeadScans : public testing::Test {
 protected:
  /// Checks a query on every instruction set; the number of candidates.
  size_t check(const Table& table, const Case& query) {
    const auto cols = static_cast<size_t>(table.view.cols);
    const std::vector<float> x(query.x, query.x + cols);
    std::vector<float> logits(static_cast<size_t>(table.view.rows));
    multiply_dense(contexts_[0].impl(), table.view, query.x, 1, logits.data());
    const std::vector<int32_t> wanted = wanted_rows(query, logits);
    size_t count = 0;
    for (const Context& context : contexts_) {
      const auto form = make_head_scan_form(context.impl(), table.view);
      const bool bounded = scan_.bound(context.impl(), *form, {query.x, 1, query.rows});
      EXPECT_TRUE(bounded) << context.isa();
      if (!bounded) return 0;
      expect_bounds_hold(logits);
      const HeadCandidates found =
          scan_.candidates(context.impl(), table.view,
                           {.best = query.best, .window = query.window, .changes = query.changes});
      EXPECT_TRUE(std::is_sorted(found.ids.begin(), found.ids.end()));
      EXPECT_TRUE(std::includes(found.ids.begin(), found.ids.end(), wanted.begin(), wanted.end()))
          << context.isa();
      for (size_t i = 0; i < found.ids.size(); ++i) {
        const float full = logits[static_cast<size_t>(found.ids[i])];
        EXPECT_EQ(std::bit_cast<uint32_t>(found.logits[i]), std::bit_cast<uint32_t>(full));
      }
      EXPECT_TRUE(count == 0 || count == found.ids.size()) << context.isa();
      count = found.ids.size();
    }
    return count;
  }
  size_t check(const Table& table, const std::vector<float>& x, int64_t best = 1) {
    return check(table, {.x = x.data(), .rows = table.view.rows, .best = best});
  }

  void expect_bounds_hold(const std::vector<float>& logits) {
    for (size_t r = 0; r < scan_.lower(0).size(); ++r) {
      ASSERT_LE(scan_.lower(0)[r], logits[r]) << r;
      ASSERT_GE(scan_.upper(0)[r], logits[r]) << r;
    }
  }

  std::vector<Context> contexts_ = all_contexts();
  HeadScan scan_;
  Random random_{7};
};

TEST_F(HeadScans, RandomTablesOfManyShapes) {
  for (const int64_t cols : {1, 3, 4, 17, 64, 129, 320}) {
    for (const int64_t rows : {1, 15, 16, 17, 63, 331}) {
      for (const Float16 format : {Float16::bf16, Float16::f16}) {
        Table table(rows, cols, format);
        table.fill_normal(random_);
        // Read as halves, some of the bits would be NaN or infinity.
        if (format == Float16::f16) {
          for (auto& bits : table.bits) bits = static_cast<uint16_t>(bits & 0xBFFFU);
        }
        for (const int64_t best : {1, 5, 40}) check(table, normal_vector(cols, random_), best);
      }
    }
  }
}

TEST_F(HeadScans, FewRowsOfARealisticHeadAreCandidates) {
  constexpr int64_t kCols = 2560;
  Table table(4099, kCols);
  table.fill_normal(random_);
  std::vector<float> x = normal_vector(kCols, random_);
  const size_t plain = check(table, x);
  for (const size_t c : {5, 700, 701, 2000}) x[c] = 40.0f * (c % 2 == 0 ? 1.0f : -1.0f);
  const size_t outliers = check(table, x);
  RecordProperty("plain", std::to_string(plain));
  RecordProperty("outliers", std::to_string(outliers));
  EXPECT_LT(plain, 100u);
  EXPECT_LT(outliers, 100u);
}

/// Trained tables have a few columns of numbers far larger than all others.
TEST_F(HeadScans, ColumnsOfUnequalSizeCostNothing) {
  constexpr int64_t kCols = 2560;
  Table table(1500, kCols);
  table.fill_normal(random_);
  for (int64_t r = 0; r < 1500; ++r) {
    for (const int64_t c : {0, 17, 900, 2559}) {  // 32 times: the exponent, where it is not zero
      if ((table.at(r, c) & 0x7F80U) != 0) table.at(r, c) += 5U << 7;
    }
    table.at(r, 1200) = 0;
  }
  const size_t count = check(table, normal_vector(kCols, random_));
  RecordProperty("unequal", std::to_string(count));
  EXPECT_LT(count, 100u);
}

TEST_F(HeadScans, RowsThatDifferInOneLastPlace) {
  for (int draw = 0; draw < 20; ++draw) {
    Table table(200, 256);
    table.fill_normal(random_);
    const std::vector<float> x = normal_vector(256, random_);
    for (int64_t r = 1; r < 200; ++r) {
      table.copy_row(0, r);
      table.at(r, static_cast<int64_t>(random_() % 256)) ^= 1U;
    }
    for (const int64_t best : {1, 5, 40}) EXPECT_EQ(check(table, x, best), 200u);
  }
}

TEST_F(HeadScans, AmongEqualRowsTheLowestIdIsThere) {
  Table table(500, 96);
  table.fill_normal(random_);
  const std::vector<float> x = normal_vector(96, random_);
  for (const int64_t to : {499, 250, 31, 32}) table.copy_row(77, to);
  for (const int64_t best : {1, 3, 5, 7}) check(table, x, best);
  for (int64_t r = 0; r < 500; ++r) table.copy_row(77, r);
  EXPECT_EQ(check(table, x), 500u);
}

/// The same numbers in another order of columns: equal sums but for the rounding of float.
TEST_F(HeadScans, PermutedRowsOfAnEvenVector) {
  for (int draw = 0; draw < 10; ++draw) {
    Table table(300, 160);
    table.fill_normal(random_);
    for (int64_t r = 1; r < 300; ++r) {
      table.copy_row(0, r);
      std::shuffle(&table.at(r, 0), &table.at(r, 0) + 160, random_);
    }
    const std::vector<float> x(160, 0.7f);
    for (const int64_t best : {1, 40}) check(table, x, best);
  }
}

TEST_F(HeadScans, VectorsOfEveryKind) {
  Table table(97, 130);
  table.fill_normal(random_);
  const std::vector<float> normal = normal_vector(130, random_);
  const auto times = [&](float factor) {
    std::vector<float> x = normal;
    for (float& v : x) v *= factor;
    return x;
  };
  for (const float factor : {0.0f, -0.0f, 1e-45f, 1e-40f, 1e-38f, 1e-33f, 1e-20f, 1e20f, 1e27f}) {
    for (const int64_t best : {1, 5}) check(table, times(factor), best);
  }
  for (const float outlier : {50.0f, 1e4f, 1e10f, -1e25f}) {
    std::vector<float> x = normal;
    x[129] = outlier;
    check(table, x, 5);
    std::vector<float> single(130);
    single[3] = outlier;
    check(table, single, 5);
  }
  check(table, std::vector<float>(130, 127.0f));
  check(table, std::vector<float>(130, 32512.0f));
  check(table, std::vector<float>(130, -32767.5f));
}

TEST_F(HeadScans, RowsOfEveryKind) {
  const float values[] = {0.0f,   -0.0f,   1.0f, -1.0f,   0.0078125f, 1e-40f, -1e-39f,
                          1e-30f, -2e-30f, 3.0f, -127.0f, 1e-20f,     2.5e4f, 9e-41f};
  Table table(64, 48);
  table.fill_normal(random_);
  for (int64_t r = 0; r < 14; ++r) {  // all values of a row equal
    for (int64_t c = 0; c < 48; ++c) table.at(r, c) = to_bf16(values[r]);
  }
  for (int64_t r = 14; r < 40; ++r) {  // a row with one value of another size
    table.at(r, r) = to_bf16(values[r % 14]);
  }
  for (const float factor : {1.0f, 1e-30f, 1e18f}) {
    std::vector<float> x = normal_vector(48, random_);
    for (float& v : x) v *= factor;
    for (const int64_t best : {1, 5, 40, 64, 1000}) check(table, x, best);
  }
  for (auto& bits : table.bits) bits &= 0x807FU;  // denormals and zeros only
  check(table, normal_vector(48, random_), 3);
  std::fill(table.bits.begin(), table.bits.end(), uint16_t{0});
  EXPECT_EQ(check(table, normal_vector(48, random_)), 64u);
}

TEST_F(HeadScans, AWindowKeepsWhatIsNear) {
  Table table(700, 200);
  table.fill_normal(random_);
  const std::vector<float> x = normal_vector(200, random_);
  size_t before = 0;
  for (const double window : {0.0, 0.1, 0.5, 2.0, 1e9}) {
    const size_t count = check(table, {.x = x.data(), .rows = 700, .best = 1, .window = window});
    EXPECT_GE(count, before);
    before = count;
  }
  EXPECT_EQ(before, 700u);
}

TEST_F(HeadScans, ChangesComeBeforeExclusion) {
  Table table(333, 120);
  table.fill_normal(random_);
  for (int draw = 0; draw < 30; ++draw) {
    const std::vector<float> x = normal_vector(120, random_);
    std::vector<int32_t> ids = {332, 0, 400};  // one that does not count
    while (ids.size() < 30) ids.push_back(static_cast<int32_t>(random_() % 300));
    std::sort(ids.begin(), ids.end());
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    const ScoreChanges changes = {ids, [&](int32_t id, float score) {
                                    score = score < 0 ? score * 1.7f : score / 1.7f;
                                    return score + (id % 5 == 0 ? 1.0f : -0.25f);
                                  }};
    for (const int64_t best : {1, 5, 40}) {
      check(table, {.x = x.data(), .rows = 333, .best = best, .changes = &changes});
      check(table, {.x = x.data(), .rows = 310, .best = best, .changes = &changes});
    }
    const ScoreChanges extreme = {
        ids, [&](int32_t id, float score) { return score * (id % 2 == 0 ? 1e37f : 1e-38f); }};
    check(table, {.x = x.data(), .rows = 333, .best = 5, .changes = &extreme});
  }
}

TEST_F(HeadScans, VectorsOfABatchAreAsIfAlone) {
  constexpr int64_t kCols = 200;
  Table table(700, kCols);
  table.fill_normal(random_);
  const std::vector<float> x = normal_vector(kCols * kernels::kScanMostBatch, random_);
  const std::vector<int32_t> ids = {0, 3, 600};
  const ScoreChanges changes = {ids, [](int32_t, float score) { return score + 2; }};
  for (const Context& context : contexts_) {
    const auto form = make_head_scan_form(context.impl(), table.view);
    for (int64_t batch = 1; batch <= kernels::kScanMostBatch; ++batch) {
      ASSERT_TRUE(scan_.bound(context.impl(), *form, {x.data(), batch, 690}));
      for (int64_t v = batch - 1; v >= 0; --v) {
        linear::HeadScan alone;
        ASSERT_TRUE(alone.bound(context.impl(), *form, {x.data() + v * kCols, 1, 690}));
        EXPECT_TRUE(std::ranges::equal(scan_.lower(v), alone.lower(0)));
        EXPECT_TRUE(std::ranges::equal(scan_.upper(v), alone.upper(0)));
        const auto* changed = v % 2 == 0 ? &changes : nullptr;
        const HeadCandidates one =
            alone.candidates(context.impl(), table.view, {.best = 1 + 2 * v, .changes = changed});
        const HeadCandidates same = scan_.candidates(
            context.impl(), table.view, {.vector = v, .best = 1 + 2 * v, .changes = changed});
        EXPECT_TRUE(std::ranges::equal(one.ids, same.ids));
        EXPECT_TRUE(std::ranges::equal(one.logits, same.logits));
      }
    }
  }
}

TEST_F(HeadScans, WhatIsNotFiniteIsNotVouchedFor) {
  Table table(64, 48);
  table.fill_normal(random_);
  std::vector<float> x = normal_vector(96, random_);
  const auto form = make_head_scan_form(contexts_[0].impl(), table.view);
  for (const float bad : {HUGE_VALF, -HUGE_VALF, std::nanf(""), 1e31f}) {
    x[60] = bad;
    EXPECT_TRUE(scan_.bound(contexts_[0].impl(), *form, {x.data(), 1, 64}));
    EXPECT_FALSE(scan_.bound(contexts_[0].impl(), *form, {x.data(), 2, 64}));
  }
}

TEST_F(HeadScans, PaddingRowsDoNotCount) {
  Table table(100, 64);
  table.fill_normal(random_);
  const std::vector<float> x = normal_vector(64, random_);
  for (int64_t c = 0; c < 64; ++c) table.at(50, c) = to_bf16(x[static_cast<size_t>(c)]);
  for (const int64_t rows : {1, 31, 32, 49, 50}) {
    check(table, {.x = x.data(), .rows = rows, .best = 3});
  }
}

}  // namespace
}  // namespace rsr::linear
