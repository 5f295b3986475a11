#include "engine/reply.h"

namespace rsr::engine {

void Reply::finish() {
  std::string rest = stops_.push(characters_.finish());
  rest += stops_.finish();
  if (!rest.empty()) deliver(rest);
}

bool Reply::deliver(std::string_view piece) {
  text_ += piece;
  return !on_text_ || on_text_(piece);
}

}  // namespace rsr::engine
