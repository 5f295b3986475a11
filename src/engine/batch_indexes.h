// Indexes for batches beside the weights of a model.
#pragma once

#include "linear/context.h"
#include "model/weights.h"
#include "rsr/engine.h"

namespace rsr::engine {

/// Gives linears an index, one after the other, as long as there is memory for it and it gains; on
/// all threads. What kept others from having one is added to the model's notice.
void add_batch_indexes(const EngineOptions& options, const Context& context, model::Model* model);

}  // namespace rsr::engine
