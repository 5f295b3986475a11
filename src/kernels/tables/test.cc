// Every kernel of the list against the reference, bit for bit, and the reference against its sums.
#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "base/aligned.h"
#include "kernels/matvec/matvec.h"
#include "kernels/tables/list.h"

namespace rsr::kernels {
namespace {

std::vector<float> random_inputs(int64_t cols) {
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  std::vector<float> x(static_cast<size_t>(cols));
  for (float& v : x) v = normal(random);
  return x;
}

template <class List>
void expect_equal(const List& list, int64_t cols, int64_t units, int64_t floats, bool signs) {
  const std::vector<float> x = random_inputs(cols);
  base::AlignedArray<float> reference(static_cast<size_t>(units * floats));
  list[0].function({x.data(), cols, signs, reference.data()}, 0, units);
  for (const auto& kernel : list) {
    if (!base::has_isa(kernel.isa)) continue;
    base::AlignedArray<float> tables(reference.size());
    kernel.function({x.data(), cols, signs, tables.data()}, 0, units / 2);
    kernel.function({x.data(), cols, signs, tables.data()}, units / 2, units);
    for (size_t i = 0; i < tables.size(); ++i) {
      ASSERT_EQ(tables[i], reference[i]) << kernel.name << " " << cols << " at " << i;
    }
  }
}

TEST(Tables, AllInstructionSetsGiveTheBitsOfTheReference) {
  for (const int64_t cols : {1, 17, 18, 19, 54, 64, 65, 100, 333}) {
    expect_equal(kTablesT3F32, cols, (cols + 17) / 18, kT3LineFloats, false);
    for (const bool signs : {false, true}) {
      expect_equal(kTablesB1F32, cols, (cols + 63) / 64, kB1PairFloats, signs);
    }
  }
}

TEST(Tables, EntriesAreTheSumsOfTheirCode) {
  // Powers of two make every sum exact, so that the order of additions does not matter.
  std::vector<float> x(64);
  for (int c = 0; c < 64; ++c) x[c] = static_cast<float>(1 << c % 16);
  base::AlignedArray<float> t3(4 * kT3LineFloats);
  tables_t3_f32_reference({x.data(), 64, false, t3.data()}, 0, 4);
  // Line 1, third table: columns 18 + 6, 7, 8; code 5 = 2 + 3 * 1 + 9 * 0: +x, 0, -x.
  EXPECT_EQ(t3[kT3LineFloats + 2 * 32 + 5], x[24] - x[26]);
  base::AlignedArray<float> b1(kB1PairFloats);
  tables_b1_f32_reference({x.data(), 64, true, b1.data()}, 0, 1);
  // Second line, second table: bits 5 .. 9 are columns 32 + 20, 24, 28, 1, 5; code 0b10010.
  EXPECT_EQ(b1[7 * 32 + 0b10010], -x[52] + x[56] - x[60] - x[33] + x[37]);
  EXPECT_EQ(b1[12 * 32 + 0b0001], x[27] - x[31] - x[59] - x[63]);
}

}  // namespace
}  // namespace rsr::kernels
