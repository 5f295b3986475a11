// An index of equal columns beside a packed weight, for products of many vectors.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/executable_memory.h"
#include "kernels/gemm_gray/index.h"
#include "linear/context.h"
#include "linear/cost_model.h"
#include "linear/weight.h"
#include "rsr/linear.h"
#include "segment/gray_code.h"

namespace rsr {

struct Weight::BatchIndex {
  segment::GrayStream stream;       // of which places and ends are empty where there is code
  std::vector<uint64_t> cell_code;  // [cells + 1], into `code`
  base::ExecutableMemory code;
  segment::Lanes lanes = segment::Lanes::int16;  // what it multiplies: int8 or float vectors
  bool asked_for = false;  // BatchIndexOptions::always: used for every batch that it can serve

  bool compiled() const { return code.data() != nullptr; }
  bool floats() const { return lanes == segment::Lanes::float32; }
  int64_t nbytes() const;
  kernels::GrayGroups groups() const;
};

namespace linear {

/// What asking for an index gave: one, or the reason why there is none; or one with a reason why it
/// is not what was asked for.
struct BatchIndexResult {
  std::shared_ptr<Weight::BatchIndex> index;
  std::string notice;
};
BatchIndexResult make_batch_index(const Context::Impl& context, const Weight& weight,
                                  const BatchIndexOptions& options);

/// What an index is: how it is cut, its additions for one vector, what it multiplies, its form.
struct GrayIndex {
  segment::Grid grid;
  double additions;
  bool floats;
  bool compiled;
};
CostQuestion gray_question(const KernelSet& kernels, const GrayIndex& index);

}  // namespace linear
}  // namespace rsr
