// Matrices and vectors for the tests of this folder.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "segment/multiply.h"

namespace rsr::segment {

struct TestMatrix {
  int64_t rows = 0;
  int64_t cols = 0;
  Alphabet alphabet = Alphabet::binary;
  std::vector<int8_t> w;

  RowSource source() const {
    return [this](int64_t row, int8_t* out) { std::copy_n(w.begin() + row * cols, cols, out); };
  }
};

/// Random digits with a share of zeros; the rest is 1, or +1 and -1 with equal chances.
inline TestMatrix random_matrix(int64_t rows, int64_t cols, Alphabet alphabet, double zeros,
                                uint32_t seed) {
  TestMatrix m{rows, cols, alphabet, std::vector<int8_t>(static_cast<size_t>(rows * cols))};
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> uniform(0, 1);
  for (int8_t& v : m.w) {
    if (uniform(random) < zeros) continue;
    v = alphabet == Alphabet::ternary && uniform(random) < 0.5 ? int8_t{-1} : int8_t{1};
  }
  return m;
}

inline std::vector<int8_t> random_int8(int64_t n, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<int8_t> x(static_cast<size_t>(n));
  for (int8_t& v : x) v = static_cast<int8_t>(random() & 0xFF);
  return x;
}

/// Floats of very different magnitudes, 1e-3 to 1e3, of both signs.
inline std::vector<float> random_floats(int64_t n, uint32_t seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> exponent(-3, 3);
  std::vector<float> x(static_cast<size_t>(n));
  for (float& v : x) v = std::pow(10.0f, exponent(random)) * ((random() & 1u) != 0 ? 1.0f : -1.0f);
  return x;
}

inline const char* to_string(Alphabet alphabet) {
  return alphabet == Alphabet::binary ? "binary" : "ternary";
}

inline const char* to_string(Form form) {
  return form == Form::scatter ? "scatter" : form == Form::fold ? "fold" : "gray";
}

inline constexpr Form kForms[] = {Form::scatter, Form::fold, Form::gray};
inline constexpr Alphabet kAlphabets[] = {Alphabet::binary, Alphabet::ternary};

}  // namespace rsr::segment
