// Models of random weights in the shapes of known ones: speed can be measured without a download,
// since it does not depend on what the weights say. The text would be nonsense.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "linear/context.h"
#include "model/forward.h"
#include "model/weights.h"
#include "rsr/status.h"

namespace rsr::model {

/// The shapes that are known: "bitnet-2b", "llama3-8b", "falcon3-10b", "falcon3-1b".
std::vector<std::string> shape_names();

/// The config of such a shape, as the model's config.json has it.
Result<ModelConfig> shape_config(const std::string& name);

/// Bytes of the weights of synthetic_model(), without making them.
int64_t synthetic_bytes(const ModelConfig& config, base::Isa isa);

/// Ternary projections in the format that prepare() takes on this machine, random tables, norms of
/// ones; of a scale that keeps states and logits near 1. Made on all threads, its bits do not
/// depend on how many; the peak of the memory is that of the model. Error: no memory.
Result<Model> synthetic_model(Context::Impl& context, const ModelConfig& config, uint64_t seed);

/// Makes a sequence one of `length` tokens, whose keys and values are random numbers instead of
/// what a prefill, which takes minutes at long contexts, would leave.
void fill_history(Context::Impl& context, const ModelConfig& config, Sequence* sequence,
                  int64_t length);

}  // namespace rsr::model
