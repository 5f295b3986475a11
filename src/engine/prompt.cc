#include "engine/prompt.h"

#include "base/check.h"

namespace rsr::engine {

using Ids = std::vector<int32_t>;

Result<Ids> raw_prompt(const text::Tokenizer& tokenizer, std::string_view text, Place place) {
  text::EncodeOptions options;
  options.add_special = place == Place::begin;
  return tokenizer.encode(text, options);
}

Result<Ids> chat_prompt(const text::Tokenizer& tokenizer, const text::ChatTemplate& chat,
                        const std::vector<text::Message>& messages, Place place) {
  RSR_ASSIGN_OR_RETURN(const std::vector<text::Segment> segments, chat.render(messages, true));
  const bool add_special = place == Place::begin && !chat.writes_bos();
  return text::encode_segments(tokenizer, segments, add_special);
}

}  // namespace rsr::engine
