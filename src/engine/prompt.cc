#include "engine/prompt.h"

#include <algorithm>
#include <string>

#include "base/check.h"

namespace rsr::engine {
namespace {

using Ids = std::vector<int32_t>;
using Segments = std::vector<text::Segment>;

std::string joined(const Segments& segments) {
  std::string all;
  for (const text::Segment& segment : segments) all += segment.text;
  return all;
}

/// The segments without their first `count` bytes.
Segments without_prefix(const Segments& segments, size_t count) {
  Segments rest;
  for (const text::Segment& segment : segments) {
    const size_t dropped = std::min(count, segment.text.size());
    count -= dropped;
    rest.push_back({segment.text.substr(dropped), segment.from_template});
  }
  return rest;
}

/// What the template writes between the end of an answer and the next one: render a conversation
/// with a short answer in the middle, and cut off what came before the answer's end.
Result<Segments> render_next(const text::ChatTemplate& chat, const std::string& text) {
  const text::Message question = {"user", "x"};
  const text::Message answer = {"assistant", "x"};
  RSR_ASSIGN_OR_RETURN(const Segments before, chat.render({question}, true));
  RSR_ASSIGN_OR_RETURN(const Segments all, chat.render({question, answer, {"user", text}}, true));
  const std::string prefix = joined(before) + answer.content;
  if (!joined(all).starts_with(prefix)) {
    return base::error(ErrorCode::unsupported, "chat template ", chat.name(),
                       " rewrites earlier turns: only one turn per session");
  }
  return without_prefix(all, prefix.size());
}

}  // namespace

Result<Ids> raw_prompt(const text::Tokenizer& tokenizer, std::string_view text, Turn turn) {
  text::EncodeOptions options;
  options.add_special = turn == Turn::first;
  return tokenizer.encode(text, options);
}

Result<Ids> chat_prompt(const text::Tokenizer& tokenizer, const text::ChatTemplate& chat,
                        std::string_view text, Turn turn) {
  const std::string content(text);
  RSR_ASSIGN_OR_RETURN(const Segments segments, turn == Turn::first
                                                    ? chat.render({{"user", content}}, true)
                                                    : render_next(chat, content));
  return text::encode_segments(tokenizer, segments, turn == Turn::first && !chat.writes_bos());
}

}  // namespace rsr::engine
