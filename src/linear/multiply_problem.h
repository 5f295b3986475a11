// For the tests of products: random matrices and inputs with their exact products.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

namespace rsr {

/// A random matrix and batch with its exact product.
struct Problem {
  int64_t rows;
  int64_t cols;
  int64_t batch;
  std::vector<int8_t> w;
  std::vector<int8_t> x;
  std::vector<float> xf;
  std::vector<int32_t> y;  // W x

  Problem(int64_t r, int64_t c, int64_t tokens, int low, int high, unsigned seed = 1)
      : rows(r), cols(c), batch(tokens), w(r * c), x(tokens * c), xf(tokens * c), y(tokens * r) {
    std::mt19937 random(seed);
    const bool only_signs = low == -1 && high == 2;  // how signs_problem() asks for -1 and +1
    for (auto& v : w) {
      v = static_cast<int8_t>(only_signs ? (random() % 2 != 0 ? 1 : -1)
                                         : low + static_cast<int>(random() % (high - low + 1)));
    }
    std::normal_distribution<float> normal;
    for (auto& v : x) v = static_cast<int8_t>(static_cast<int>(random() % 256) - 128);
    for (auto& v : xf) v = normal(random);
    for (int64_t t = 0; t < batch; ++t) {
      for (int64_t i = 0; i < rows; ++i) {
        for (int64_t j = 0; j < cols; ++j) y[t * rows + i] += w[i * cols + j] * x[t * cols + j];
      }
    }
  }
};

inline Problem ternary_problem(int64_t r, int64_t c, int64_t t) {
  return {r, c, t, -1, 1};
}
inline Problem binary_problem(int64_t r, int64_t c, int64_t t) {
  return {r, c, t, 0, 1};
}
inline Problem signs_problem(int64_t r, int64_t c, int64_t t) {
  return {r, c, t, -1, 2};
}

}  // namespace rsr
