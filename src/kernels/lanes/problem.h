// For the test and the benchmark of this folder, and the self-test: a random matrix as lanes.
#pragma once

#include <algorithm>
#include <random>
#include <vector>

#include "base/aligned.h"
#include "kernels/lanes/list.h"
#include "segment/lane_groups.h"

namespace rsr::kernels {

struct LanesShape {
  segment::Alphabet alphabet = segment::Alphabet::ternary;
  int k = 4;
  int64_t rows = 1;
  int64_t cols = 1;
  int64_t tile_cols = 0;
  int zeros = 33;  // percent
};

/// Values of W drawn with a seed; x is random int8, for floats too.
class LanesProblem {
 public:
  explicit LanesProblem(const LanesShape& shape, uint32_t seed = 1) : shape_(shape), random_(seed) {
    w.resize(static_cast<size_t>(shape.rows * shape.cols));
    for (int8_t& v : w) {
      const bool minus = shape.alphabet == segment::Alphabet::ternary && (random_() & 1u) != 0;
      v = static_cast<int>(random_() % 100) < shape.zeros ? int8_t{0} : int8_t(minus ? -1 : 1);
    }
    x.resize(static_cast<size_t>(shape.cols));
    for (int8_t& v : x) v = static_cast<int8_t>(random_());
    const segment::RowSource source = [this](int64_t row, int8_t* out) {
      std::copy_n(w.begin() + row * shape_.cols, shape_.cols, out);
    };
    segment::BuildOptions options;
    options.alphabet = shape.alphabet;
    options.k = shape.k;
    options.tile_cols = shape.tile_cols;
    groups = *segment::build_lanes(source, shape.rows, shape.cols, options, 1e9).value();
  }

  /// Parameters over all tiles; `sums` is set by the caller.
  template <class X, class Sum>
  Lanes<X, Sum> params(const X* inputs) const {
    Lanes<X, Sum> p;
    p.slots = groups.slots.data();
    p.starts = groups.starts.data();
    p.cell_rounds = groups.cell_rounds.data();
    p.lines = groups.lines();
    p.cols = groups.cols;
    p.tile_cols = groups.tile_cols;
    p.tiles = p.tile_end = groups.tile_count();
    p.x = inputs;
    return p;
  }
  size_t sum_count() const {
    return static_cast<size_t>(groups.block_count() * groups.lines() * kLanesPerLine);
  }

  std::vector<int8_t> w;  // [rows][cols]
  std::vector<int8_t> x;  // [cols]
  segment::LaneGroups groups;

 private:
  LanesShape shape_;
  std::mt19937 random_;
};

}  // namespace rsr::kernels
