// A text that is longer than the context, divided into windows: rsr/perplexity.h says how.
#pragma once

#include <cstdint>

namespace rsr::engine {

/// Text tokens [begin, end), of which [first, end) are predicted.
struct Window {
  int64_t begin = 0;
  int64_t first = 0;
  int64_t end = 0;
};

struct WindowPlan {
  int64_t tokens = 0;     ///< of the text
  int64_t size = 0;       ///< most text tokens of a window: at least 1, or 2 without begin_ids
  int64_t stride = 0;     ///< 1 to size
  int64_t begin_ids = 0;  ///< ids before the text of every window

  /// Windows that predict something.
  int64_t count() const;

  Window at(int64_t index) const;

  /// Tokens that all windows predict.
  int64_t predicted() const;

  /// Tokens that a model reads for a window, and for all: its last one is not read, since nothing
  /// is predicted from it.
  int64_t read(const Window& window) const { return begin_ids + window.end - window.begin - 1; }
  int64_t read() const;
};

}  // namespace rsr::engine
