// The tokens of a user's turn.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "rsr/status.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace rsr::engine {

/// Where in a conversation a turn stands.
enum class Turn {
  first,  ///< nothing before it: begins with the begin-of-text id
  next    ///< follows an answer, whose end it must write
};

/// The text as it is, special tokens in it recognised as Hugging Face does.
Result<std::vector<int32_t>> raw_prompt(const text::Tokenizer& tokenizer, std::string_view text,
                                        Turn turn);

/// The text as a user's turn of the template, up to where the model's answer begins. Special tokens
/// are those that the template writes; in the user's text they stay plain text.
Result<std::vector<int32_t>> chat_prompt(const text::Tokenizer& tokenizer,
                                         const text::ChatTemplate& chat, std::string_view text,
                                         Turn turn);

}  // namespace rsr::engine
