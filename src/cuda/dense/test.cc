// 16-bit matrices times floats: the bits of the CPU's reference.
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "base/float16.h"
#include "cuda/test_device.h"
#include "kernels/dense/dense.h"

namespace rsr::cuda {
namespace {

/// Random weights, vectors, and what the CPU makes of them.
struct Problem {
  Problem(bool f16, int32_t row_count, int32_t col_count, int32_t tokens, int skipped = 0)
      : is_f16(f16), rows(row_count), cols(col_count), batch(tokens), skip(skipped) {
    std::mt19937 random(static_cast<uint32_t>(rows * 1000 + cols));
    std::normal_distribution<float> normal;
    w.resize(static_cast<size_t>(rows) * cols + skip);
    for (auto& bits : w) {
      do bits = static_cast<uint16_t>(random());
      while (!std::isfinite(widened(bits)) || std::fabs(widened(bits)) > 1e4f);
    }
    x.resize(static_cast<size_t>(batch) * cols);
    for (float& v : x) v = normal(random);
    y.resize(static_cast<size_t>(batch) * rows);
    const kernels::Dense16F32 p = {w.data() + skip, cols, x.data(), batch, y.data(), rows};
    const auto reference =
        is_f16 ? kernels::dense_f16_f32_reference : kernels::dense_bf16_f32_reference;
    reference(p, 0, rows);
  }
  float widened(uint16_t bits) const {
    return is_f16 ? base::from_f16(bits) : base::from_bf16(bits);
  }
  Dense params(const uint16_t* weights, const float* vectors, float* results) const {
    return {weights + skip, is_f16, rows, cols, vectors, batch, results, rows};
  }

  bool is_f16;
  int32_t rows, cols, batch;
  int skip;  // elements in front of the matrix: another alignment
  std::vector<uint16_t> w;
  std::vector<float> x, y;
};

class CudaDense : public OnDevices {
 protected:
  /// In one order only, for what takes long.
  bool once() const {
    return GetParam().name == "cuda" || GetParam().order == emulated::Order::shuffled;
  }
  void expect_bits(const Problem& problem) {
    const auto w = array(problem.w);
    const auto x = array(problem.x);
    const auto y = array(std::vector<float>(problem.y.size(), -7));
    run(&Operations::dense, problem.params(w.data(), x.data(), y.data()));
    const auto got = y.read();
    EXPECT_EQ(std::memcmp(got.data(), problem.y.data(), got.size() * sizeof(float)), 0)
        << problem.is_f16 << " " << problem.rows << " x " << problem.cols << " batch "
        << problem.batch << " " << problem.skip;
  }
};

TEST_P(CudaDense, HasTheBitsOfTheReference) {
  for (const bool is_f16 : {false, true}) {
    for (const int cols : {1, 15, 16, 17, 100, 128, 257, 1000, 2304}) {
      for (const int rows : {1, 5, 33}) {
        if (cols > 1000 && rows > 5) continue;
        expect_bits(Problem(is_f16, rows, cols, 1));
      }
    }
  }
}

TEST_P(CudaDense, BatchesToo) {
  for (const bool is_f16 : {false, true}) {
    for (const int batch : {2, 3, 5, 9}) {
      expect_bits(Problem(is_f16, 35, 136, batch));
      expect_bits(Problem(is_f16, 3, 600, batch));
    }
  }
}

TEST_P(CudaDense, AnyAlignment) {
  for (const int batch : {1, 2}) {
    for (const int skip : {1, 3, 4}) expect_bits(Problem(false, 9, 136, batch, skip));
  }
  expect_bits(Problem(true, 3, 4111, 1));  // twice round the ring
}

TEST_P(CudaDense, ManyRows) {
  if (!once()) return;
  expect_bits(Problem(false, 16387, 24, 1));
}

TEST_P(CudaDense, RowsOfAList) {
  for (const int batch : {1, 3}) {
    const Problem problem(true, 40, 300, batch);
    constexpr size_t kMost = 11;
    std::vector<int32_t> ids = {39, 0, 7, 7, 12, 31, 2, 3, 38, 1, 5};  // of each vector others
    for (size_t i = kMost; i < kMost * static_cast<size_t>(batch); ++i) {
      ids.push_back(39 - ids[i - kMost]);
    }
    const auto w = array(problem.w);
    const auto x = array(problem.x);
    const auto ids_device = array(ids);
    for (const int count : {0, 1, 2, 9, 11}) {
      const auto y = array(std::vector<float>(ids.size(), -7));
      std::vector<int32_t> counts = {count, 3, 11};
      counts.resize(static_cast<size_t>(batch));
      const auto counts_device = array(counts);
      Dense p = problem.params(w.data(), x.data(), y.data());
      p.rows = kMost;
      p.stride = kMost;
      p.row_ids = ids_device.data();
      p.row_counts = counts_device.data();
      run(&Operations::dense, p);
      const auto got = y.read();
      for (size_t i = 0; i < got.size(); ++i) {
        const bool listed = i % kMost < static_cast<size_t>(counts[i / kMost]);
        const float want = listed ? problem.y[i / kMost * problem.rows + ids[i]] : -7.0f;
        ASSERT_EQ(got[i], want) << i << " of " << count;
      }
    }
  }
}

TEST_P(CudaDense, ALongListGoesRoundTheBlocks) {
  if (!once()) return;
  const Problem problem(false, 4200, 16, 1);  // more than 512 blocks of 8 half warps
  std::vector<int32_t> ids(4150);
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int32_t>(4199 - i);
  const auto w = array(problem.w);
  const auto x = array(problem.x);
  const auto y = array(std::vector<float>(ids.size(), -7));
  const auto ids_device = array(ids);
  const auto count = array(std::vector<int32_t>{static_cast<int32_t>(ids.size())});
  Dense p = problem.params(w.data(), x.data(), y.data());
  p.rows = static_cast<int32_t>(ids.size());
  p.row_ids = ids_device.data();
  p.row_counts = count.data();
  run(&Operations::dense, p);
  const auto got = y.read();
  for (size_t i = 0; i < ids.size(); ++i) ASSERT_EQ(got[i], problem.y[ids[i]]) << i;
}

INSTANTIATE_TEST_SUITE_P(Devices, CudaDense, testing::ValuesIn(test_devices()));

}  // namespace
}  // namespace rsr::cuda
