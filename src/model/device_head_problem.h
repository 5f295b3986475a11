// For tests: the operations of a device's head, checked against all logits: bounds hold, and the
// candidates hold every row that is wanted.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
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

/// Penalties::changed() once more, as simple as can be.
inline double changed(const HeadQuery& query, const HeadChange& change, double score) {
  if (query.changes == 0) return score;
  const double repetition = query.repetition;
  if (change.seen != 0) score = score < 0 ? score * repetition : score / repetition;
  if (change.biased != 0) score += change.bias;
  if (change.generated != 0) {
    score -= double{query.presence} + double{query.frequency} * change.generated;
  }
  return score;
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

  Found scan(const linear::HeadScanForm& form, const std::vector<float>& x, const HeadQuery& query,
             const std::vector<HeadChange>& known) {
    const auto copy = [](const auto& from) { return std::vector(from.begin(), from.end()); };
    const auto lines = array(copy(std::span(form.lines.data(), form.lines.size())));
    const auto values = array(copy(form.row_values.span()));
    const auto factors_of_cols = array(copy(form.column_factors.span()));
    const auto state = array(x);
    const auto asked = array(std::vector<HeadQuery>{query});
    const auto changes = array(known);
    const auto planes = array(
        std::vector<uint32_t>(static_cast<size_t>(cuda::head_plane_bytes(form.steps())) / 4, 77));
    const auto factors = array(std::vector<cuda::HeadFactors>(1));
    const auto rows = static_cast<size_t>(form.padded_rows());
    const auto lower = array(std::vector<float>(rows));
    const auto upper = array(std::vector<float>(rows));
    const auto tile_lower = array(std::vector<float>(rows / 16));
    const auto tile_upper = array(std::vector<float>(rows / 16));
    const cuda::HeadBounds bounds = {lower.data(), upper.data(), tile_lower.data(),
                                     tile_upper.data()};
    const auto ids = array(std::vector<int32_t>(cuda::kHeadMostCandidates, -7));
    const auto count = array(std::vector<int32_t>{-7});
    const auto result = array(std::vector<cuda::HeadResult>(1));
    run(&cuda::Operations::head_vector,
        cuda::HeadVector{state.data(), factors_of_cols.data(), static_cast<int32_t>(form.cols),
                         form.largest_norm, form.error_ratio, asked.data(), changes.data(),
                         planes.data(), factors.data()});
    const auto tiles = static_cast<int32_t>(form.tiles());
    run(&cuda::Operations::head_scan,
        cuda::HeadScan{lines.data(), values.data(), tiles, static_cast<int32_t>(form.steps()),
                       planes.data(), factors.data(), asked.data(), changes.data(), bounds});
    run(&cuda::Operations::head_pick, cuda::HeadPick{bounds, tiles, factors.data(), asked.data(),
                                                     ids.data(), count.data(), result.data()});
    Found found = {result.read()[0],  lower.read(),      upper.read(),
                   tile_lower.read(), tile_upper.read(), ids.read()};
    const int32_t listed = count.read()[0];
    found.ids.resize(static_cast<size_t>(std::max(listed, 0)));
    EXPECT_EQ(listed, found.result.status == HeadStatus::chosen ? found.result.candidates : 0);
    return found;
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
    std::vector<double> scores(logits.begin(), logits.begin() + query.rows);
    for (size_t r = 0; r < scores.size() && query.changes != 0; ++r) {
      scores[r] = changed(query, changes[r], scores[r]);
    }
    expect_bounds(found, scores);
    if (query.changes == 0) expect_tight(form, x, query, found);
    expect_wanted(found, scores, query);
    return found.result.candidates;
  }
  int32_t check(const Table& table, const std::vector<float>& x, int32_t best = 1) {
    return check(table, x, HeadQuery{.best = best});
  }

  static void expect_bounds(const Found& found, const std::vector<double>& scores) {
    for (size_t r = 0; r < found.lower.size(); ++r) {
      const double score = r < scores.size() ? scores[r] : -HUGE_VALF;
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

  static void expect_wanted(const Found& found, const std::vector<double>& scores,
                            const HeadQuery& query) {
    std::vector<double> sorted = scores;
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

  Context context_ = Context::create({.threads = 1}).value();
  linear::Random random_{7};
};

}  // namespace rsr::model
