// How perplexity() and compare_models() measure.
#pragma once

#include <cstdint>
#include <string_view>

#include "engine/engine_impl.h"
#include "rsr/perplexity.h"

namespace rsr::engine {

/// Tokens whose logits are computed at once: 66 MB for each model where the vocabulary is 128,256.
/// Between tiles progress is told; smaller ones would unpack the weights more often.
inline constexpr int64_t kScoreTile = 128;

/// compare_models(); without `other` perplexity(), with nothing but `reference` filled in. The
/// result, but for the seconds, does not depend on the tile (at least 1).
Result<Comparison> measure(const Engine::Impl& reference, const Engine::Impl* other,
                           std::string_view text, const PerplexityOptions& options,
                           int64_t tile = kScoreTile);

}  // namespace rsr::engine
