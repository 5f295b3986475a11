// The tokens of a text whose predictions are to be measured, and their windows.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "engine/engine_impl.h"
#include "engine/windows.h"
#include "rsr/perplexity.h"

namespace rsr::engine {

/// Positions of a window where nothing else is asked for and the context has them.
inline constexpr int64_t kUsualWindow = 512;

struct MeasuredText {
  std::vector<int32_t> begin_ids;  ///< before the text of every window
  std::vector<int32_t> ids;        ///< of the text
  WindowPlan plan;

  /// The ids of a window, those before the text included.
  std::vector<int32_t> ids_of(const Window& window) const;
};

/// For one model, or for two that read the same (`other` may be null). Errors: those of
/// perplexity() and compare_models() that concern text, options and vocabularies.
Result<MeasuredText> measured_text(const Engine::Impl& reference, const Engine::Impl* other,
                                   std::string_view text, const PerplexityOptions& options);

}  // namespace rsr::engine
