// What a session remembers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "text/chat_template.h"

namespace rsr::engine {

struct History {
  /// Every token so far. The cache holds the first of them, usually all but the last one said.
  std::vector<int32_t> ids;
  /// Turns of the conversation that is open, without the system message; none after raw text.
  std::vector<text::Message> messages;
  /// Where in `ids` that conversation begins: 0, or behind raw text.
  size_t conversation_begin = 0;
};

}  // namespace rsr::engine
