// Operation groups against the product by its definition, and what its index promises.
#include <algorithm>
#include <bit>
#include <numeric>
#include <set>

#include "cuda/groups/choose_k.h"
#include "cuda/groups/device_groups.h"
#include "cuda/test_device.h"
#include "segment/oracle.h"
#include "segment/test_matrices.h"

namespace rsr::cuda {
namespace {

using segment::TestMatrix;
using GroupsTest = OnDevices;

/// What the test matrices hold; signs are stored as their ones.
enum class Kind { binary, ternary, signs };
constexpr Kind kKinds[] = {Kind::binary, Kind::ternary, Kind::signs};

TestMatrix matrix_of(Kind kind, int64_t rows, int64_t cols, double zeros = 0.5) {
  const auto alphabet =
      kind == Kind::ternary ? segment::Alphabet::ternary : segment::Alphabet::binary;
  return segment::random_matrix(rows, cols, alphabet, zeros, static_cast<uint32_t>(rows + cols));
}

GroupsIndex index_of(const TestMatrix& m, int k, int64_t tile_cols = 0) {
  segment::BuildOptions options = device_options(m.alphabet, k);
  if (tile_cols > 0) options.tile_cols = tile_cols;
  return pack_groups(segment::build(m.source(), m.rows, m.cols, options).value()).value();
}

/// How a product is asked for; span and parts 0: as the device's index says.
struct Ask {
  int batch = 1;
  int64_t tile_cols = 0;
  int span = 0;
  int parts = 0;
  int constant_x = 1000;  // every input; 1000: drawn
};

/// x as operation norm leaves it: zeros up to whole vectors of 16 bytes.
std::vector<int8_t> padded_x(int64_t cols, int64_t stride, const Ask& ask) {
  std::vector<int8_t> x = segment::random_int8(stride * ask.batch, 3);
  for (size_t i = 0; i < x.size(); ++i) {
    if (ask.constant_x != 1000) x[i] = static_cast<int8_t>(ask.constant_x);
    if (static_cast<int64_t>(i) % stride >= cols) x[i] = 0;
  }
  return x;
}

int32_t right_sum(const TestMatrix& m, Kind kind, std::span<const int8_t> x, int64_t row) {
  int64_t sum = 0;
  for (int64_t c = 0; c < m.cols; ++c) {
    const int v = m.w[static_cast<size_t>(row * m.cols + c)];
    sum += int64_t{kind == Kind::signs ? 2 * v - 1 : v} * x[static_cast<size_t>(c)];
  }
  return static_cast<int32_t>(sum);
}

void expect_right(Stream& stream, const TestMatrix& m, Kind kind, int k, const Ask& ask) {
  const DeviceGroups index =
      DeviceGroups::create(stream, index_of(m, k, ask.tile_cols), kind == Kind::signs).value();
  const int64_t x_stride = (m.cols + 15) / 16 * 16;
  const int64_t stride = m.rows + 2;
  const std::vector<int8_t> values = padded_x(m.cols, x_stride, ask);
  const DeviceArray<int8_t> x(stream, values);
  const DeviceArray<int32_t> sums(
      stream, std::vector<int32_t>(static_cast<size_t>(stride * ask.batch), 12345));
  Groups p = index.params();
  if (ask.span > 0) p.span = ask.span;
  if (ask.parts > 0) p.parts = ask.parts;
  p.x = x.data();
  p.x_stride = x_stride;
  p.batch = ask.batch;
  p.sums = sums.data();
  p.stride = stride;
  const Status status = stream.run(&Operations::groups, p);
  ASSERT_TRUE(status.ok()) << status.message();
  const std::vector<int32_t> results = sums.read();
  for (int64_t t = 0; t < ask.batch; ++t) {
    const std::span own(values.data() + t * x_stride, static_cast<size_t>(x_stride));
    for (int64_t r = 0; r < stride; ++r) {
      const int32_t right = r < m.rows ? right_sum(m, kind, own, r) : 12345;
      ASSERT_EQ(results[static_cast<size_t>(t * stride + r)], right)
          << m.rows << " x " << m.cols << " kind " << static_cast<int>(kind) << " k " << k
          << " token " << t << " of " << ask.batch << " row " << r;
    }
  }
}

TEST_P(GroupsTest, EveryK) {
  for (const Kind kind : kKinds) {
    for (int k = 1; k <= segment::kMaxBlockRows; ++k) {
      expect_right(stream, matrix_of(kind, 19, 205), kind, k, {.batch = 1 + k % 2 * 3});
    }
  }
}

TEST_P(GroupsTest, OddShapes) {
  for (const Kind kind : kKinds) {
    for (const int64_t rows : {1, 5, 40}) {
      for (const int64_t cols : {1, 3, 31, 33, 127, 600}) {
        expect_right(stream, matrix_of(kind, rows, cols), kind, 5, {});
      }
    }
  }
}

TEST_P(GroupsTest, EveryBatch) {
  for (int batch = 1; batch <= 9; ++batch) {
    for (const Kind kind : kKinds) {
      expect_right(stream, matrix_of(kind, 11, 90), kind, 4, {.batch = batch});
    }
  }
}

TEST_P(GroupsTest, ManyTiles) {
  for (const Kind kind : kKinds) {
    for (const int64_t tile_cols : {16, 48, 160}) {
      expect_right(stream, matrix_of(kind, 9, 330), kind, 4, {.batch = 1, .tile_cols = tile_cols});
      expect_right(stream, matrix_of(kind, 9, 330), kind, 4, {.batch = 3, .tile_cols = tile_cols});
    }
  }
}

TEST_P(GroupsTest, WiderThanTheWidestTile) {
  expect_right(stream, matrix_of(Kind::ternary, 3, kMostTileCols + 50), Kind::ternary, 2, {});
  expect_right(stream, matrix_of(Kind::signs, 3, kMostTileCols), Kind::signs, 3, {.batch = 2});
}

// However the work is cut, and whoever gets no part of it.
TEST_P(GroupsTest, EverySpanAndPart) {
  const TestMatrix m = matrix_of(Kind::ternary, 37, 1100);
  for (const int span : {1, 2, 3, 16}) {
    for (const int parts : {1, 2, 5, 8}) {
      expect_right(stream, m, Kind::ternary, 4, {.batch = 1, .span = span, .parts = parts});
    }
  }
  expect_right(stream, m, Kind::ternary, 4, {.batch = 4, .span = 3, .parts = 8});
}

// No group at all, and one group of all columns, which many lanes share: the largest sums of a
// slice.
TEST_P(GroupsTest, ColumnsAllAlike) {
  for (const Kind kind : kKinds) {
    for (const int value : {0, 1}) {
      TestMatrix m = matrix_of(kind, 4, 8200);
      std::fill(m.w.begin(), m.w.end(), static_cast<int8_t>(value));
      for (const int x : {-128, 127}) {
        expect_right(stream, m, kind, 3, {.batch = 1, .constant_x = x});
        expect_right(stream, m, kind, 3, {.batch = 2, .constant_x = x});
      }
    }
  }
}

TEST_P(GroupsTest, SparseAndDense) {
  for (const double zeros : {0.0, 0.1, 0.95}) {
    expect_right(stream, matrix_of(Kind::ternary, 12, 700, zeros), Kind::ternary, 6, {});
    expect_right(stream, matrix_of(Kind::binary, 12, 700, zeros), Kind::binary, 12, {});
  }
}

TEST_P(GroupsTest, NothingToDo) {
  Groups p;
  p.k = 1;
  p.tile_cols = 1;
  EXPECT_TRUE(stream.run(&Operations::groups, p).ok());  // no rows
  p.rows = 1;
  EXPECT_TRUE(stream.run(&Operations::groups, p).ok());  // no vectors
}

TEST_P(GroupsTest, TimesOfK) {
  const TestMatrix m = matrix_of(Kind::ternary, 12, 200);
  const std::vector<int> candidates = likely_k(m.alphabet, m.cols);
  const auto times = choose_k(stream, m.source(), m.rows, m.cols, candidates, {.products = 2});
  ASSERT_TRUE(times.ok()) << times.status().message();
  ASSERT_EQ(times->size(), candidates.size());
  for (size_t i = 0; i < candidates.size(); ++i) {
    EXPECT_EQ((*times)[i].k, candidates[i]);
    EXPECT_GT((*times)[i].nbytes, 0);
    EXPECT_GE((*times)[i].milliseconds, 0);
  }
  const int k = fastest_k(*times);
  EXPECT_NE(std::find(candidates.begin(), candidates.end(), k), candidates.end());
  const int bad[] = {17};
  EXPECT_FALSE(choose_k(stream, m.source(), m.rows, m.cols, bad, {}).ok());
  EXPECT_FALSE(choose_k(stream, m.source(), m.rows, m.cols, candidates, {.batch = 0}).ok());
}

TEST(GroupsIndex, LikelyK) {
  using segment::Alphabet;
  EXPECT_EQ(likely_k(Alphabet::ternary, 2560), (std::vector<int>{4, 5, 6, 7}));
  EXPECT_EQ(likely_k(Alphabet::binary, 4096), (std::vector<int>{6, 7, 8, 9, 10, 11, 12}));
  EXPECT_EQ(likely_k(Alphabet::ternary, 1), (std::vector<int>{1}));
}

TEST(GroupsIndex, RefusesTilesThatDoNotFit) {
  const TestMatrix m = matrix_of(Kind::binary, 2, kMostTileCols + 8);
  segment::BuildOptions options = device_options(m.alphabet, 2);
  options.tile_cols = 0;
  EXPECT_FALSE(pack_groups(segment::build(m.source(), m.rows, m.cols, options).value()).ok());
  options.tile_cols = 100;
  EXPECT_FALSE(pack_groups(segment::build(m.source(), m.rows, m.cols, options).value()).ok());
}

/// Columns of a step, as words of x.
std::array<int, kGroupLanes> words_of_step(const GroupsIndex& index, size_t step) {
  std::array<int, kGroupLanes> words{};
  for (size_t lane = 0; lane < kGroupLanes; ++lane) {
    const size_t at = (step / kChunkSteps * kGroupLanes + lane) * kChunkSteps + step % kChunkSteps;
    words[lane] = index.entries[at] / 4;
  }
  return words;
}

/// How many words of a step each bank of shared memory has to give, one in a turn.
std::array<int, kGroupLanes> banks_of(const std::array<int, kGroupLanes>& words) {
  std::array<int, kGroupLanes> banks{};
  for (const int word : std::set<int>(words.begin(), words.end())) {
    ++banks[static_cast<size_t>(word % kGroupLanes)];
  }
  return banks;
}

struct Quality {
  int64_t steps = 0;
  int64_t turns = 0;
  int64_t least_turns = 0;  // of any order: a slice's steps, or the columns of its fullest bank
  int64_t columns = 0;
};

Quality quality_of(const GroupsIndex& index) {
  const int zeros_at = static_cast<int>((index.cols + 31) / 32 * 32);
  Quality q;
  for (size_t slice = 0; slice + 1 < index.starts.size(); ++slice) {
    std::array<int, kGroupLanes> columns{};
    const int64_t steps = index.starts[slice + 1] - index.starts[slice];
    for (uint32_t s = index.starts[slice]; s < index.starts[slice + 1]; ++s) {
      const auto words = words_of_step(index, s);
      const auto banks = banks_of(words);
      q.turns += *std::max_element(banks.begin(), banks.end());
      for (const int word : words) {
        if (word < zeros_at) ++columns[static_cast<size_t>(word % kGroupLanes)];
      }
    }
    q.steps += steps;
    q.least_turns += std::max<int64_t>(steps, *std::max_element(columns.begin(), columns.end()));
    q.columns += std::accumulate(columns.begin(), columns.end(), int64_t{0});
  }
  return q;
}

TEST(GroupsIndex, BanksAreSharedOutAndPlacesAreFull) {
  struct Shape {
    Kind kind;
    int64_t cols;
    int k;
    double zeros;
  };
  for (const Shape& s : {Shape{Kind::binary, 2560, 8, 0.5}, Shape{Kind::ternary, 2560, 5, 0.33},
                         Shape{Kind::ternary, 4096, 6, 0.33}, Shape{Kind::binary, 14336, 10, 0.5},
                         Shape{Kind::ternary, 2560, 2, 0.33}, Shape{Kind::ternary, 2560, 5, 0.8}}) {
    const TestMatrix m = matrix_of(s.kind, 4 * s.k, s.cols, s.zeros);
    const GroupsIndex index = index_of(m, s.k);
    const Quality q = quality_of(index);
    const std::string what = std::to_string(s.cols) + " columns, k " + std::to_string(s.k);
    const auto places = static_cast<double>(q.steps * kGroupLanes);
    const auto steps = static_cast<double>(q.steps);
    const auto weights = static_cast<double>(m.rows * m.cols);
    std::printf("%s: %.2f turns a step (%.2f), %.0f%% full, %.2f bits a weight\n", what.c_str(),
                static_cast<double>(q.turns) / steps, static_cast<double>(q.least_turns) / steps,
                100.0 * static_cast<double>(q.columns) / places,
                8.0 * static_cast<double>(index.nbytes()) / weights);
    EXPECT_LT(static_cast<double>(q.turns), 1.03 * static_cast<double>(q.least_turns)) << what;
    EXPECT_LT(static_cast<double>(q.turns), 1.9 * steps) << what;
    EXPECT_GT(static_cast<double>(q.columns), 0.87 * places) << what;
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, GroupsTest, testing::ValuesIn(test_devices()));

}  // namespace
}  // namespace rsr::cuda
