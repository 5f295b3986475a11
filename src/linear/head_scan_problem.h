// For tests of the head scan: tables of random rows.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "linear/linear.h"

namespace rsr::linear {

using Random = std::mt19937;

inline uint16_t to_bf16(float value) {
  return static_cast<uint16_t>(std::bit_cast<uint32_t>(value) >> 16);
}

/// A table with its own memory.
struct Table {
  Table(int64_t rows, int64_t cols, Float16 format = Float16::bf16)
      : bits(static_cast<size_t>(rows * cols)), view{bits.data(), rows, cols, format} {}
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  uint16_t& at(int64_t row, int64_t col) {
    return bits[static_cast<size_t>(row * view.cols + col)];
  }
  void fill_normal(Random& random) {
    std::normal_distribution<float> normal;
    for (int64_t r = 0; r < view.rows; ++r) {
      const float norm = std::exp(0.3f * normal(random));  // rows of a head differ this much
      for (int64_t c = 0; c < view.cols; ++c) at(r, c) = to_bf16(0.05f * norm * normal(random));
    }
  }
  void copy_row(int64_t from, int64_t to) {
    for (int64_t c = 0; c < view.cols; ++c) at(to, c) = at(from, c);
  }

  std::vector<uint16_t> bits;
  Dense view;
};

inline std::vector<float> normal_vector(int64_t cols, Random& random) {
  std::normal_distribution<float> normal;
  std::vector<float> x(static_cast<size_t>(cols));
  for (float& v : x) v = normal(random);
  return x;
}

}  // namespace rsr::linear
