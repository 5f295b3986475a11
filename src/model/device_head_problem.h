// For tests: the operations of a device's head, checked against all logits: bounds hold, and the
// candidates hold every row that is wanted.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <functional>
#include <set>
#include <vector>

#include "cuda/test_device.h"
#include "linear/head_scan.h"
#include "linear/head_scan_problem.h"

namespace rsr::model {

using cuda::HeadChange;
using cuda::HeadQuery;
using cuda::HeadStatus;
using linear::Table;

/// cuda::changed() once more, as simple as can be.
inline float changed_score(const HeadQuery& query, const HeadChange& change, float score) {
  if (query.changes == 0) return score;
  double result = score;
  const double repetition = query.penalties.repetition;
  if (change.seen != 0) result = result < 0 ? result * repetition : result / repetition;
  if (change.biased != 0) result += change.bias;
  if (change.generated != 0) {
    result -=
        double{query.penalties.presence} + double{query.penalties.frequency} * change.generated;
  }
  return static_cast<float>(std::clamp(result, -double{FLT_MAX}, double{FLT_MAX}));
}

/// What the operations leave behind.
struct Found {
  cuda::HeadResult result;
  std::vector<float> lower, upper, tile_lower, tile_upper;
  std::vector<int32_t> ids;
};

class HeadOperations : public cuda::OnDevices {
 protected:
  bool once() const {
    return GetParam().name == "cuda" || GetParam().order == cuda::emulated::Order::shuffled;
  }

  /// Of each state; `x` has as many vectors as there are queries.
  std::vector<Found> scan(const linear::HeadScanForm& form, const std::vector<float>& x,
                          const std::vector<HeadQuery>& queries,
                          const std::vector<HeadChange>& known) {
    const auto copy = [](const auto& from) { return std::vector(from.begin(), from.end()); };
    const auto states = static_cast<int32_t>(queries.size());
    const auto lines = array(copy(std::span(form.lines.data(), form.lines.size())));
    const auto values = array(copy(form.row_values.span()));
    const auto factors_of_cols = array(copy(form.column_factors.span()));
    const auto vectors = array(x);
    const auto asked = array(queries);
    const auto changes = array(known);
    const auto planes = array(std::vector<uint32_t>(
        static_cast<size_t>(states * cuda::head_plane_bytes(form.steps())) / 4, 77));
    const auto factors = array(std::vector<cuda::HeadFactors>(queries.size()));
    const size_t rows = queries.size() * static_cast<size_t>(form.padded_rows());
    const auto lower = array(std::vector<float>(rows));
    const auto upper = array(std::vector<float>(rows));
    const auto tile_lower = array(std::vector<float>(rows / 16));
    const auto tile_upper = array(std::vector<float>(rows / 16));
    const cuda::HeadBounds bounds = {lower.data(), upper.data(), tile_lower.data(),
                                     tile_upper.data()};
    const auto ids = array(std::vector<int32_t>(queries.size() * cuda::kHeadMostCandidates, -7));
    const auto counts = array(std::vector<int32_t>(queries.size(), -7));
    const auto results = array(std::vector<cuda::HeadResult>(queries.size()));
    run(&cuda::Operations::head_vector,
        cuda::HeadVector{vectors.data(), factors_of_cols.data(), states,
                         static_cast<int32_t>(form.cols), form.largest_norm, form.error_ratio,
                         planes.data(), factors.data()});
    const auto tiles = static_cast<int32_t>(form.tiles());
    run(&cuda::Operations::head_scan,
        cuda::HeadScan{lines.data(), values.data(), states, tiles,
                       static_cast<int32_t>(form.steps()), planes.data(), factors.data(),
                       asked.data(), changes.data(), bounds});
    run(&cuda::Operations::head_pick,
        cuda::HeadPick{bounds, states, tiles, factors.data(), asked.data(), ids.data(),
                       counts.data(), results.data()});
    std::vector<Found> all;
    for (size_t state = 0; state < queries.size(); ++state) {
      all.push_back({results.read()[state], part(lower.read(), state, queries.size()),
                     part(upper.read(), state, queries.size()),
                     part(tile_lower.read(), state, queries.size()),
                     part(tile_upper.read(), state, queries.size()),
                     part(ids.read(), state, queries.size())});
      const int32_t listed = counts.read()[state];
      all.back().ids.resize(static_cast<size_t>(std::max(listed, 0)));
      const cuda::HeadResult& result = all.back().result;
      EXPECT_EQ(listed, result.status == HeadStatus::chosen ? result.candidates : 0);
    }
    return all;
  }
  Found scan(const linear::HeadScanForm& form, const std::vector<float>& x, const HeadQuery& query,
             const std::vector<HeadChange>& known) {
    return scan(form, x, std::vector{query}, known)[0];
  }

  /// Checks a query; the number of candidates.
  int32_t check(const Table& table, const std::vector<float>& x, HeadQuery query,
                const std::vector<HeadChange>& changes = {}) {
    if (query.rows == 0) query.rows = static_cast<int32_t>(table.view.rows);
    query.changes = changes.empty() ? 0 : 1;
    const auto form = linear::make_head_scan_form(context_.impl(), table.view).value();
    const Found found = scan(form, x, query, changes);
    EXPECT_EQ(found.result.status, HeadStatus::chosen);
    std::vector<float> logits(static_cast<size_t>(table.view.rows));
    linear::multiply_dense(context_.impl(), table.view, x.data(), 1, logits.data());
    std::vector<float> scores(logits.begin(), logits.begin() + query.rows);
    for (size_t r = 0; r < scores.size() && query.changes != 0; ++r) {
      scores[r] = changed_score(query, changes[r], scores[r]);
    }
    expect_bounds(found, scores);
    if (query.changes == 0) expect_tight(form, x, query, found);
    expect_wanted(found, scores, query);
    return found.result.candidates;
  }
  int32_t check(const Table& table, const std::vector<float>& x, int32_t best = 1) {
    return check(table, x, HeadQuery{.best = best});
  }

  static void expect_bounds(const Found& found, const std::vector<float>& scores) {
    for (size_t r = 0; r < found.lower.size(); ++r) {
      const float score = r < scores.size() ? scores[r] : -HUGE_VALF;
      ASSERT_LE(found.lower[r], score) << r;
      ASSERT_GE(found.upper[r], score) << r;
      ASSERT_TRUE(r < scores.size() || found.upper[r] == -HUGE_VALF) << r;
    }
    for (size_t tile = 0; tile < found.tile_lower.size(); ++tile) {
      const auto at = static_cast<ptrdiff_t>(16 * tile);
      ASSERT_EQ(found.tile_lower[tile],
                *std::max_element(found.lower.begin() + at, found.lower.begin() + at + 16));
      ASSERT_EQ(found.tile_upper[tile],
                *std::max_element(found.upper.begin() + at, found.upper.begin() + at + 16));
    }
  }

  /// Nor are they wider than the CPU's.
  void expect_tight(const linear::HeadScanForm& form, const std::vector<float>& x,
                    const HeadQuery& query, const Found& found) {
    linear::HeadScan cpu;
    ASSERT_TRUE(cpu.bound(context_.impl(), form, {x.data(), 1, query.rows}));
    for (size_t r = 0; r < static_cast<size_t>(query.rows); ++r) {
      const double width = double{cpu.upper(0)[r]} - cpu.lower(0)[r];
      ASSERT_LE(double{found.upper[r]} - found.lower[r], width * 1.00001 + 1e-35) << r;
    }
  }

  static void expect_wanted(const Found& found, const std::vector<float>& scores,
                            const HeadQuery& query) {
    std::vector<float> sorted = scores;
    std::sort(sorted.begin(), sorted.end(), std::greater<>());
    const auto best = std::min(static_cast<size_t>(query.best), sorted.size());
    const double last = sorted[best - 1];
    const std::set<int32_t> ids(found.ids.begin(), found.ids.end());
    ASSERT_EQ(ids.size(), found.ids.size());
    for (const int32_t id : ids) ASSERT_TRUE(id >= 0 && id < query.rows) << id;
    for (size_t r = 0; r < scores.size(); ++r) {  // equals too
      const bool wanted =
          scores[r] >= last || (query.window > 0 && scores[r] > last - query.window);
      ASSERT_TRUE(!wanted || ids.contains(static_cast<int32_t>(r))) << r;
    }
  }

  /// One of `of` equal parts.
  template <class T>
  static std::vector<T> part(const std::vector<T>& values, size_t at, size_t of) {
    const auto count = static_cast<ptrdiff_t>(values.size() / of);
    const auto begin = values.begin() + static_cast<ptrdiff_t>(at) * count;
    return {begin, begin + count};
  }

  Context context_ = Context::create({.threads = 1}).value();
  linear::Random random_{7};
};

}  // namespace rsr::model
