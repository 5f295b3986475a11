// The model that rsr bench model measures, and at which lengths.
#pragma once

#include <cstdint>
#include <vector>

#include "cli/bench_model.h"
#include "model/kv_cache.h"
#include "model/weights.h"
#include "rsr/linear.h"
#include "rsr/status.h"

namespace rsr::cli {

struct ModelSubject {
  Context context;
  model::Model model;
  std::vector<int64_t> prompts;
  std::vector<int64_t> contexts;
  std::vector<int64_t> guesses;
  double load_seconds = 0;

  /// That the cache must have.
  int64_t positions() const;
};

model::KvType kv_type(const ModelBenchOptions& options);

/// The largest of one or more.
int64_t longest(const std::vector<int64_t>& lengths);

/// Loads the model or, of a shape, makes one in memory, with the head that was asked for. Errors: a
/// model that cannot be loaded, or made in the memory that is there; a length beyond the model's.
Result<ModelSubject> open_subject(const ModelBenchOptions& options);

}  // namespace rsr::cli
