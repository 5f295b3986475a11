// For tests: a packed matrix, inputs in token tiles, and the exact product.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "base/aligned.h"
#include "kernels/matvec/list.h"
#include "matrix/packed.h"

namespace rsr::kernels {

/// How the values of a test matrix are drawn.
struct Values {
  matrix::Format format = matrix::Format::t2;
  matrix::Alphabet alphabet = matrix::Alphabet::ternary;
  int64_t rows = 0;
  int64_t cols = 0;
  int64_t group_size = 0;
  int zeros = 33;    // percent, ternary
  int constant = 9;  // every value; 9: drawn
};

class Problem {
 public:
  /// `constant_x`: every input; 0: drawn from all of int8.
  Problem(const Values& values, int64_t batch, int constant_x = 0)
      : values_(values), batch_(batch), random_(static_cast<unsigned>(values.rows + values.cols)) {
    const auto size = static_cast<size_t>(values.rows * values.cols);
    w.resize(size);
    for (int8_t& v : w) v = draw_weight();
    packed = pack();
    x.resize(static_cast<size_t>(batch * values.cols));
    for (int8_t& v : x) {
      v = static_cast<int8_t>(constant_x != 0 ? constant_x
                                              : static_cast<int>(random_() % 256) - 128);
    }
    xf.resize(x.size());
    std::normal_distribution<float> normal;
    for (float& v : xf) v = normal(random_);
    group_scales.resize(
        static_cast<size_t>(packed.tiles() * packed.layout().segments() * matrix::kTileRows));
    for (float& s : group_scales) s = normal(random_);
  }

  /// Inputs as models have them: the largest of some thousand normal numbers becomes 127.
  void make_usual() {
    for (size_t i = 0; i < x.size(); ++i) {
      x[i] = static_cast<int8_t>(std::clamp(xf[i] * 32, -127.0f, 127.0f));
    }
  }

  int64_t batch() const { return batch_; }
  int64_t groups() const { return packed.layout().segments(); }

  /// Sum of row r for token t over the columns of one group; -1: all.
  int64_t sum(int64_t t, int64_t r, int64_t group = -1) const {
    int64_t total = 0;
    for (int64_t c = 0; c < values_.cols; ++c) {
      if (group >= 0 && c / std::max<int64_t>(packed.layout().group_size(), 1) != group) continue;
      total += int64_t{w[static_cast<size_t>(r * values_.cols + c)]} *
               x[static_cast<size_t>(t * values_.cols + c)];
    }
    return total;
  }

  /// Parameters of an int8 kernel; the arrays they point to live in the problem.
  MatvecI8 params(int token_tile, bool grouped) {
    MatvecI8 p;
    p.w = matrix_params(grouped);
    p.token_tile = token_tile;
    p.batch = batch_;
    p.x_cols = packed.layout().padded_cols();
    tile_inputs(token_tile, p.x_cols);
    p.x = x_tiles_.data();
    correct();
    p.corrections = corrections_.data();
    p.shift = values_.alphabet == matrix::Alphabet::signs ? 1 : 0;
    p.out.rows = values_.rows;
    p.out.stride = values_.rows;
    return p;
  }

  PackedMatrix matrix_params(bool grouped) const {
    PackedMatrix m;
    m.lines = packed.lines();
    m.tile_stride = packed.tile_stride();
    m.tile_lines = packed.lines_per_tile();
    if (grouped) {
      m.group_lines = packed.layout().steps_per_segment();
      m.group_scales = group_scales.data();
    }
    return m;
  }

  std::vector<int8_t> w;
  std::vector<int8_t> x;  // [batch][cols]
  std::vector<float> xf;  // [batch][cols]
  std::vector<float> group_scales;
  matrix::Packed packed;

 private:
  int8_t draw_weight() {
    if (values_.constant != 9) return static_cast<int8_t>(values_.constant);
    const bool one = random_() % 2 != 0;
    if (values_.alphabet == matrix::Alphabet::binary) return one ? 1 : 0;
    if (values_.alphabet == matrix::Alphabet::ternary &&
        random_() % 100 < static_cast<unsigned>(values_.zeros)) {
      return 0;
    }
    return one ? 1 : -1;
  }

  matrix::Packed pack() const {
    const auto& v = values_;
    const MatrixView view = v.alphabet == matrix::Alphabet::ternary  ? ternary(w, v.rows, v.cols)
                            : v.alphabet == matrix::Alphabet::binary ? binary(w, v.rows, v.cols)
                                                                     : signs(w, v.rows, v.cols);
    return {v.format, v.alphabet, matrix::RowReader(view), v.rows, v.cols, v.group_size};
  }

  void tile_inputs(int token_tile, int64_t padded_cols) {
    x_tiles_ = base::AlignedArray<int8_t>(static_cast<size_t>(batch_ * padded_cols + 64));
    for (int64_t t = 0; t < batch_; ++t) {
      const int64_t first = t / token_tile * token_tile;
      const int64_t width = std::min<int64_t>(token_tile, batch_ - first);
      packed.layout().for_each_column([&](int64_t col, int64_t place) {
        x_tiles_[static_cast<size_t>(first * padded_cols + place / 4 * 4 * width + (t - first) * 4 +
                                     place % 4)] = x[static_cast<size_t>(t * values_.cols + col)];
      });
    }
  }

  void correct() {
    corrections_.assign(static_cast<size_t>(groups() * batch_), 0);
    if (values_.alphabet == matrix::Alphabet::binary) return;
    for (int64_t g = 0; g < groups(); ++g) {
      const base::Range columns = packed.layout().columns(g);
      for (int64_t t = 0; t < batch_; ++t) {
        for (int64_t c = columns.begin; c < columns.end; ++c) {
          corrections_[static_cast<size_t>(g * batch_ + t)] +=
              x[static_cast<size_t>(t * values_.cols + c)];
        }
      }
    }
  }

  Values values_;
  int64_t batch_;
  std::mt19937 random_;
  base::AlignedArray<int8_t> x_tiles_;
  std::vector<int32_t> corrections_;
};

}  // namespace rsr::kernels
