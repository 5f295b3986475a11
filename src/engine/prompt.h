// The tokens that a session feeds: raw text, or a whole conversation as its template writes it.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "rsr/status.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace rsr::engine {

/// Where in a session's context text stands.
enum class Place {
  begin,  ///< nothing before it: begins with the begin-of-text id, where the tokenizer adds one
  later   ///< something before it: no second begin-of-text id
};

/// The text as it is, special tokens in it recognised as Hugging Face does.
Result<std::vector<int32_t>> raw_prompt(const text::Tokenizer& tokenizer, std::string_view text,
                                        Place place);

/// The conversation up to where the model's next answer begins. Special tokens are those that the
/// template writes (its own begin-of-text token wherever the text stands); in the text of messages
/// they stay plain text.
Result<std::vector<int32_t>> chat_prompt(const text::Tokenizer& tokenizer,
                                         const text::ChatTemplate& chat,
                                         const std::vector<text::Message>& messages, Place place);

}  // namespace rsr::engine
