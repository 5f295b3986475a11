#include "engine/batch_indexes.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace rsr::engine {
namespace {

/// The quantised linears of a model: products of int8 vectors have the same bits with an index.
std::vector<Weight*> weights_of(model::Model& model) {
  std::vector<Weight*> weights;
  for (model::LayerWeights& layer : model.layers) {
    for (model::Linear& linear : layer.projections) {
      auto* int8 = std::get_if<model::Int8Ternary>(&linear.matrix);
      if (int8 != nullptr) weights.push_back(&int8->weight);
    }
  }
  return weights;
}

std::string notice_of(size_t indexed, size_t all, int64_t bytes,
                      const std::map<std::string, int>& reasons) {
  std::string text = "indexes for batches: " + std::to_string(indexed) + " of " +
                     std::to_string(all) + " matrices, " + std::to_string(bytes) + " bytes";
  for (const auto& [reason, count] : reasons) {
    text += "; " + std::to_string(count) + ": " + reason;
  }
  return text;
}

}  // namespace

void add_batch_indexes(const EngineOptions& options, const Context& context, model::Model* model) {
  if (options.rsr_memory <= 0) return;
  const std::vector<Weight*> weights = weights_of(*model);
  std::map<std::string, int> reasons;  // and how many matrices they kept from an index
  int64_t bytes = 0;
  size_t indexed = 0;
  const auto step = static_cast<size_t>(context.threads());
  for (size_t first = 0; first < weights.size(); first += step) {
    const size_t count = std::min(step, weights.size() - first);
    std::vector<Weight> made;
    std::vector<std::string> notices(count);
    for (size_t i = 0; i < count; ++i) made.push_back(*weights[first + i]);
    context.impl().pool.parallel_for(static_cast<int64_t>(count), [&](base::Range range) {
      for (int64_t i = range.begin; i < range.end; ++i) {
        const auto at = static_cast<size_t>(i);
        made[at] = with_batch_index(context, made[at],
                                    {.most_bytes = options.rsr_memory - bytes, .jit = options.jit},
                                    &notices[at]);
      }
    });
    for (size_t i = 0; i < count; ++i) {
      // Each had all of the memory that was left; together they may need more.
      if (bytes + made[i].index_bytes() > options.rsr_memory) {
        ++reasons["it needs more memory than it may take"];
        continue;
      }
      if (!notices[i].empty()) ++reasons[notices[i]];
      bytes += made[i].index_bytes();
      indexed += made[i].index_bytes() > 0 ? 1 : 0;
      *weights[first + i] = made[i];
    }
  }
  if (!model->notice.empty()) model->notice += "; ";
  model->notice += notice_of(indexed, weights.size(), bytes, reasons);
}

}  // namespace rsr::engine
