// The flags of rsr bench matvec that take lists, and the measurements that they make together.
#pragma once

#include <string>
#include <vector>

#include "cli/bench_matvec.h"
#include "rsr/status.h"

namespace rsr::cli {

/// Every combination is measured once.
struct MatvecLists {
  MatvecBenchOptions one;  // rows, cols and everything that is no list
  std::string suite;       // "models": the shapes of known models instead of rows and cols
  std::vector<std::string> bits = {"ternary"};
  std::vector<int> zeros = {33};
  std::vector<std::string> activations = {"int8"};
  std::vector<std::string> kernels;  // empty: algorithm, form and k of `one`
  std::vector<std::string> residencies = {"stream"};
  std::vector<std::string> caches = {"cold", "warm"};
  std::vector<int64_t> batches = {1};
  std::vector<int> threads = {0};
};

struct ModelShape {
  const char* model;
  int64_t rows;
  int64_t cols;
};

/// The matrices of a layer of BitNet-2B-4T, Llama3-8B and Falcon3-10B.
std::vector<ModelShape> model_shapes();

/// "automatic", "multiply-add", "rsr", "rsr:FORM" or "rsr:FORM:K" into algorithm, form and k; on a
/// device "automatic", "t5", "rsr" or "rsr:K". Error: anything else, with what is known.
Status parse_kernel(const std::string& text, MatvecBenchOptions& options);

/// In an order in which neighbours have as much as possible in common. Binary matrices have one
/// share of zeros only; what a device has no kernel for is left out. Errors: a kernel that cannot
/// be read; nothing is left.
Result<std::vector<MatvecBenchOptions>> expand(const MatvecLists& lists);

}  // namespace rsr::cli
