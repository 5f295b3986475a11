// The ways in which a product could be computed here, the chosen one first: what `rsr explain`
// shows, and what the choice of a format is tested against.
#pragma once

#include <string>
#include <vector>

#include "linear/cost_model.h"
#include "linear/planner.h"

namespace rsr::linear {

/// A product of which only the outline is known.
struct ProductQuestion {
  bool binary = false;  // 0 and 1; else -1, 0, 1
  bool floats = false;  // inputs; else int8
  Residency residency = Residency::memory;
  int64_t rows = 1;
  int64_t cols = 1;
  int64_t batch = 1;
  int threads = 1;
  int zeros = 33;          // percent, of ternary values; half of binary ones are
  int64_t rsr_memory = 0;  // bytes for an index for batches
  bool jit = false;        // it may be machine code
};

struct Candidate {
  CostQuestion question;
  Cost cost;
  std::string format;  // "t5", ..., "groups", "gray"
  std::string kernel;
  int token_tile = 1;
  bool measured_k = false;  // of rsr: from the tune cache, not from segment/cost.h
  bool chosen = false;
};

FormatChoice choose_format(const KernelSet& kernels, const ProductQuestion& question);

/// The chosen candidate, then the others, the fastest prediction first.
std::vector<Candidate> candidates(const KernelSet& kernels, const ProductQuestion& question);

}  // namespace rsr::linear
