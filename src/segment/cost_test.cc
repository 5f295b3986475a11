#include "segment/cost.h"

#include <gtest/gtest.h>

#include "segment/counting_run.h"
#include "segment/oracle.h"
#include "segment/test_matrices.h"

namespace rsr::segment {
namespace {

TEST(Cost, FormulasCountWhatMultiplyDoes) {
  for (const Alphabet alphabet : kAlphabets) {
    for (const Form form : kForms) {
      for (int k = 1; k <= max_k(form, alphabet) && k <= 8; ++k) {
        for (const int64_t copies : {int64_t{1}, int64_t{10}, int64_t{70}}) {
          if (pattern_count(alphabet, k) * copies > kMaxTileCols) continue;
          const CountingRun run = count_full_block(form, alphabet, k, copies);
          EXPECT_TRUE(run.right);
          EXPECT_EQ(static_cast<double>(run.additions),
                    cell_additions(form, alphabet, k, run.columns, run.groups))
              << to_string(form) << " " << to_string(alphabet) << " k " << k << " x " << copies;
        }
      }
    }
  }
}

TEST(Cost, FormulasComeNearForRandomBlocks) {
  for (const Alphabet alphabet : kAlphabets) {
    for (const Form form : kForms) {
      for (int k = 1; k <= max_k(form, alphabet); ++k) {
        const double zeros = alphabet == Alphabet::binary ? 0.5 : 1.0 / 3;
        const TestMatrix m = random_matrix(k, 1000, alphabet, zeros, 1);
        const CountingRun run = count_block(form, m, k);
        EXPECT_TRUE(run.right);
        const double formula = cell_additions(form, alphabet, k, run.columns, run.groups);
        EXPECT_NEAR(formula, static_cast<double>(run.additions), 0.15 * formula)
            << to_string(form) << " " << to_string(alphabet) << " k " << k;
        const double expected = expected_groups(alphabet, k, 1000);
        EXPECT_NEAR(static_cast<double>(run.groups), expected, 0.05 * expected + 1);
      }
    }
  }
}

TEST(Cost, BytesAreThoseOfTheIndex) {
  const TestMatrix m = random_matrix(6, 1000, Alphabet::ternary, 0.3, 2);
  const ColumnGroups g =
      build(m.source(), 6, 1000, {m.alphabet, Order::pattern_value, 6, 0}).value();
  // The index has one more pair of range ends than cells.
  EXPECT_EQ(g.nbytes(), cell_bytes(g.cell_columns[1], g.cell_groups[1]) + 16);
}

TEST(Cost, ChosenKIsTheBestAndInsideTheLimits) {
  for (const Alphabet alphabet : kAlphabets) {
    for (const Form form : kForms) {
      for (const int64_t cols : {1, 16, 128, 2560, 14'336, 100'000}) {
        for (const int64_t rows : {0, 1, 3, 2560}) {
          const int k = choose_k(form, alphabet, rows, cols);
          ASSERT_TRUE(check_form(form, alphabet, k).ok());
          ASSERT_LE(k, std::max<int64_t>(rows, 1));
          for (int other = 1; other <= std::min<int64_t>(rows, max_k(form, alphabet)); ++other) {
            EXPECT_LE(estimate_cycles(form, alphabet, k, rows, cols),
                      estimate_cycles(form, alphabet, other, rows, cols));
          }
        }
      }
    }
  }
}

TEST(Cost, ChosenKIsNearTheMeasuredBest) {
  const auto near = [](int k, int low, int high) { return k >= low && k <= high; };
  const auto chosen = [](Form form, Alphabet alphabet) {
    return choose_k(form, alphabet, 2560, 2560);
  };
  EXPECT_TRUE(near(chosen(Form::scatter, Alphabet::binary), 6, 8));
  EXPECT_TRUE(near(chosen(Form::fold, Alphabet::binary), 7, 9));
  EXPECT_TRUE(near(chosen(Form::gray, Alphabet::binary), 6, 8));
  EXPECT_TRUE(near(chosen(Form::scatter, Alphabet::ternary), 3, 5));
  EXPECT_TRUE(near(chosen(Form::fold, Alphabet::ternary), 4, 6));
  EXPECT_TRUE(near(chosen(Form::gray, Alphabet::ternary), 3, 5));
}

}  // namespace
}  // namespace rsr::segment
