// The operations of a device's head on tables and vectors of every kind; linear/head_scan_test.cc
// is the CPU's.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "model/device_head_problem.h"

namespace rsr::model {
namespace {

using linear::normal_vector;
using linear::to_bf16;
using DeviceHeads = HeadOperations;

TEST_P(DeviceHeads, RandomTablesOfManyShapes) {
  for (const int64_t cols : {1, 3, 4, 17, 63, 64, 65, 129, 320}) {
    for (const int64_t rows : {1, 15, 16, 17, 331}) {
      const bool halves = (rows + cols) % 2 == 0;
      Table table(rows, cols, halves ? linear::Float16::f16 : linear::Float16::bf16);
      table.fill_normal(random_);
      if (halves) {  // some of these bits would be NaN or infinity
        for (auto& bits : table.bits) bits = static_cast<uint16_t>(bits & 0xBFFFU);
      }
      check(table, normal_vector(cols, random_), 1);
      check(table, normal_vector(cols, random_), cols % 3 == 0 ? 5 : 40);
    }
  }
}

TEST_P(DeviceHeads, FewRowsOfARealisticHeadAreCandidates) {
  if (!once()) return;
  constexpr int64_t kCols = 2560;
  Table table(2099, kCols);
  table.fill_normal(random_);
  std::vector<float> x = normal_vector(kCols, random_);
  EXPECT_LT(check(table, x), 100);
  for (const size_t c : {5, 700, 701, 2000}) x[c] = 40.0f * (c % 2 == 0 ? 1.0f : -1.0f);
  EXPECT_LT(check(table, x), 100);
}

TEST_P(DeviceHeads, AsManyTilesAsAreWantedAndFewer) {
  if (!once()) return;
  Table table(16 * 1030 + 3, 4);  // a number a row, so that bounds are narrow
  std::normal_distribution<float> normal;
  for (int64_t r = 0; r < table.view.rows; ++r) table.at(r, r % 4) = to_bf16(normal(random_));
  const std::vector<float> x = normal_vector(4, random_);
  for (const int32_t best : {500, 1000}) {
    for (const int32_t rows : {16 * 1030 + 3, 16 * 999 + 1, 16 * 999, 16 * 100}) {
      check(table, x, HeadQuery{.best = best, .rows = rows});
    }
  }
}

TEST_P(DeviceHeads, RowsThatDifferInOneLastPlaceAndEqualOnes) {
  Table table(200, 256);
  table.fill_normal(random_);
  const std::vector<float> x = normal_vector(256, random_);
  for (int64_t r = 1; r < 200; ++r) {
    table.copy_row(0, r);
    table.at(r, static_cast<int64_t>(random_() % 256)) ^= 1U;
  }
  for (const int32_t best : {1, 5, 40}) EXPECT_EQ(check(table, x, best), 200);
  table.fill_normal(random_);
  for (const int64_t to : {199, 150, 31, 32}) table.copy_row(77, to);
  for (const int32_t best : {1, 3, 5, 7}) check(table, x, best);
}

TEST_P(DeviceHeads, PermutedRowsOfAnEvenVector) {
  Table table(300, 160);
  table.fill_normal(random_);
  for (int64_t r = 1; r < 300; ++r) {
    table.copy_row(0, r);
    std::shuffle(&table.at(r, 0), &table.at(r, 0) + 160, random_);
  }
  for (const int32_t best : {1, 40}) check(table, std::vector<float>(160, 0.7f), best);
}

TEST_P(DeviceHeads, VectorsOfEveryKind) {
  Table table(97, 130);
  table.fill_normal(random_);
  const std::vector<float> normal = normal_vector(130, random_);
  for (const float factor : {0.0f, -0.0f, 1e-45f, 1e-40f, 1e-33f, 1e-20f, 1e20f, 1e27f}) {
    std::vector<float> x = normal;
    for (float& v : x) v *= factor;
    check(table, x, 5);
  }
  for (const float outlier : {50.0f, 1e4f, -1e25f}) {
    std::vector<float> x = normal;
    x[129] = outlier;
    check(table, x, 5);
    std::vector<float> single(130);
    single[3] = outlier;
    check(table, single);
  }
  for (const float even : {127.0f, 32512.0f, -32767.5f}) check(table, std::vector(130, even));
}

TEST_P(DeviceHeads, RowsOfEveryKind) {
  const float values[] = {0.0f,   -0.0f,   1.0f, -1.0f,   0.0078125f, 1e-40f, -1e-39f,
                          1e-30f, -2e-30f, 3.0f, -127.0f, 1e-20f,     2.5e4f, 9e-41f};
  Table table(64, 48);
  table.fill_normal(random_);
  for (int64_t r = 0; r < 14; ++r) {  // all values of a row equal
    for (int64_t c = 0; c < 48; ++c) table.at(r, c) = to_bf16(values[r]);
  }
  for (int64_t r = 14; r < 40; ++r) table.at(r, r) = to_bf16(values[r % 14]);
  for (const float factor : {1.0f, 1e-30f, 1e18f}) {
    std::vector<float> x = normal_vector(48, random_);
    for (float& v : x) v *= factor;
    for (const int32_t best : {1, 5, 64, 1000}) check(table, x, best);
  }
  std::fill(table.bits.begin(), table.bits.end(), uint16_t{0});
  EXPECT_EQ(check(table, normal_vector(48, random_)), 64);
}

TEST_P(DeviceHeads, AWindowKeepsWhatIsNear) {
  Table table(700, 100);
  table.fill_normal(random_);
  const std::vector<float> x = normal_vector(100, random_);
  int32_t before = 0;
  for (const double window : {0.0, 0.1, 0.5, 1e9}) {
    const int32_t count = check(table, x, HeadQuery{.window = window});
    EXPECT_GE(count, before);
    before = count;
  }
  EXPECT_EQ(before, 700);
}

TEST_P(DeviceHeads, ChangesComeBeforeExclusion) {
  Table table(333, 60);
  table.fill_normal(random_);
  const HeadQuery queries[] = {
      {.best = 1, .penalties = {.repetition = 1.7f, .presence = 0.3f, .frequency = 0.1f}},
      {.best = 5, .rows = 310, .penalties = {.repetition = 0.3f, .presence = -1.5f}},
      {.best = 40, .penalties = {.repetition = 3e38f}},
      {.best = 3, .penalties = {.repetition = 1e-38f, .frequency = -0.5f}},
  };
  for (const HeadQuery& query : queries) {
    std::vector<HeadChange> changes(333);
    for (HeadChange& change : changes) {
      if (random_() % 4 != 0) continue;
      change.seen = static_cast<int32_t>(random_() % 2);
      change.generated = change.seen * static_cast<int32_t>(random_() % 3);
      change.biased = static_cast<int32_t>(random_() % 2);
      change.bias = static_cast<float>(random_() % 400) / 100.0f - 2.0f;
    }
    check(table, normal_vector(60, random_), query, changes);
  }
}

TEST_P(DeviceHeads, StatesAreAsIfAlone) {
  Table table(150, 72);
  table.fill_normal(random_);
  const auto form = linear::make_head_scan_form(context_.impl(), table.view).value();
  std::vector<HeadChange> known(150);
  for (size_t r = 0; r < known.size(); r += 3) known[r] = {.seen = 1, .generated = 1};
  for (size_t states = 1; states <= cuda::kHeadMostStates; states += once() ? 1 : 3) {
    std::vector<float> x = normal_vector(static_cast<int64_t>(72 * states), random_);
    if (states > 2) x[73] = HUGE_VALF;  // of the second one
    std::vector<HeadQuery> queries(states);
    for (size_t s = 0; s < states; ++s) {
      queries[s] = HeadQuery{.window = 0.01 * static_cast<double>(s),
                             .best = static_cast<int32_t>(1 + s),
                             .rows = 140,
                             .changes = s % 2 == 0 ? 1 : 0,
                             .penalties = {.presence = 0.5f}};
    }
    const auto together = scan(form, x, queries, known);
    for (size_t s = 0; s < states; ++s) {
      const Found alone = scan(form, part(x, s, states), queries[s], known);
      ASSERT_EQ(together[s].result.status, alone.result.status);
      ASSERT_EQ(alone.result.status == HeadStatus::not_vouched, states > 2 && s == 1);
      if (alone.result.status == HeadStatus::not_vouched) continue;
      ASSERT_EQ(together[s].lower, alone.lower);
      ASSERT_EQ(together[s].upper, alone.upper);
      ASSERT_EQ(together[s].tile_lower, alone.tile_lower);
      ASSERT_EQ(together[s].tile_upper, alone.tile_upper);
      ASSERT_EQ(std::set(together[s].ids.begin(), together[s].ids.end()),
                std::set(alone.ids.begin(), alone.ids.end()));
    }
  }
}

TEST_P(DeviceHeads, TheLatestOverrideTakesThePlaceOfAnEntry) {
  Table table(40, 20);
  table.fill_normal(random_);
  const auto form = linear::make_head_scan_form(context_.impl(), table.view).value();
  const std::vector<float> x = normal_vector(20, random_);
  HeadQuery query{.rows = 40, .changes = 1, .overrides = cuda::kHeadMostStates - 1};
  const std::vector<HeadChange> known(40);
  std::vector<HeadChange> changed = known;
  for (int32_t i = 0; i < query.overrides; ++i) {
    query.override[i] = {
        (7 * i) % 21, {.seen = 0, .biased = 1, .bias = static_cast<float>(50 + i), .generated = 0}};
    changed[static_cast<size_t>(query.override[i].id)] = query.override[i].change;
  }
  const Found got = scan(form, x, query, known);
  query.overrides = 0;
  const Found want = scan(form, x, query, changed);
  EXPECT_EQ(got.lower, want.lower);
  EXPECT_EQ(got.upper, want.upper);
  query.changes = 0;
  EXPECT_NE(got.upper, scan(form, x, query, changed).upper);
}

TEST_P(DeviceHeads, WhatIsNotFiniteIsNotVouchedFor) {
  Table table(64, 48);
  table.fill_normal(random_);
  const auto form = linear::make_head_scan_form(context_.impl(), table.view).value();
  for (const float bad : {HUGE_VALF, -HUGE_VALF, std::nanf(""), 1e31f}) {
    std::vector<float> x = normal_vector(48, random_);
    x[20] = bad;
    const Found found = scan(form, x, HeadQuery{.rows = 64}, {HeadChange()});
    EXPECT_EQ(found.result.status, HeadStatus::not_vouched);
    EXPECT_TRUE(found.ids.empty());
  }
}

TEST_P(DeviceHeads, TooManyCandidatesAreNone) {
  Table table(cuda::kHeadMostCandidates + 1, 8);
  table.fill_normal(random_);
  for (int64_t r = 1; r < table.view.rows; ++r) table.copy_row(0, r);
  const auto form = linear::make_head_scan_form(context_.impl(), table.view).value();
  const std::vector<float> x = normal_vector(8, random_);
  const Found found =
      scan(form, x, HeadQuery{.rows = cuda::kHeadMostCandidates + 1}, {HeadChange()});
  EXPECT_EQ(found.result.status, HeadStatus::too_many);
  EXPECT_TRUE(found.ids.empty());
  EXPECT_EQ(check(table, x, HeadQuery{.rows = cuda::kHeadMostCandidates}),
            cuda::kHeadMostCandidates);
}

TEST_P(DeviceHeads, PaddingRowsDoNotCount) {
  Table table(100, 64);
  table.fill_normal(random_);
  const std::vector<float> x = normal_vector(64, random_);
  for (int64_t c = 0; c < 64; ++c) table.at(50, c) = to_bf16(x[static_cast<size_t>(c)]);
  for (const int32_t rows : {1, 31, 32, 49, 50}) {
    check(table, x, HeadQuery{.best = 3, .rows = rows});
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, DeviceHeads, testing::ValuesIn(cuda::test_devices()));

}  // namespace
}  // namespace rsr::model
