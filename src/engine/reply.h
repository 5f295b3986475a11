// The text of an answer on its way from tokens to the caller.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "engine/stop_strings.h"
#include "rsr/engine.h"
#include "text/tokenizer.h"

namespace rsr::engine {

/// Joins the bytes of tokens to characters, ends at stop strings, and passes on what is decided.
class Reply {
 public:
  Reply(std::span<const std::string> stops, const TextCallback& on_text)
      : stops_(stops), on_text_(on_text) {}

  /// The bytes of one more token. False when the callback wants no more.
  bool push(std::string_view bytes) { return deliver(stops_.push(characters_.push(bytes))); }

  /// Passes on what was held back, when no more tokens come.
  void finish();

  /// A stop string ended the text.
  bool stopped() const { return stops_.found(); }

  /// All that was passed on.
  const std::string& text() const { return text_; }

 private:
  bool deliver(std::string_view piece);

  text::Utf8Stream characters_;
  StopStrings stops_;
  const TextCallback& on_text_;
  std::string text_;
};

}  // namespace rsr::engine
