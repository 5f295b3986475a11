// Chat templates of the supported model families, chosen by the exact text of the template.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rsr/status.h"
#include "text/tokenizer.h"

namespace rsr::text {

struct Message {
  std::string role;  ///< "system", "user" or "assistant"
  std::string content;
};

/// A piece of rendered text. Special tokens are recognised in the template's own text only, never
/// in what a user wrote.
struct Segment {
  std::string text;
  bool from_template = false;
};

/// The strings that the variables of a template stand for; empty where a model has none.
struct TemplateTokens {
  std::string bos;
  std::string eos;
};

class ChatTemplate {
 public:
  /// The template with this Jinja source; an unknown one is refused (a model whose template was
  /// edited must not silently get another), and so is one that needs a token that is empty.
  static Result<ChatTemplate> from_source(std::string_view jinja,
                                          const TemplateTokens& tokens = {});

  const std::string& name() const { return name_; }

  /// True when the rendered text begins with the begin-of-text token itself: it must then be
  /// encoded without what the post-processor adds.
  bool writes_bos() const { return writes_bos_; }

  /// The conversation as text. Errors: a role that the template does not know.
  Result<std::vector<Segment>> render(const std::vector<Message>& messages,
                                      bool add_generation_prompt) const;

 private:
  struct Known;

  std::string name_;
  TemplateTokens tokens_;
  bool writes_bos_ = false;
  const Known* known_ = nullptr;
};

/// Ids of rendered text: encoded as one text, in which special tokens are recognised in the
/// template's own segments only.
Result<std::vector<int32_t>> encode_segments(const Tokenizer& tokenizer,
                                             std::span<const Segment> segments, bool add_special);

/// Finds the template source of a model directory: the file chat_template.jinja, else
/// "chat_template" of tokenizer_config.json (a string, or a list of which "default" is taken).
/// Empty when the model has none.
Result<std::string> find_chat_template(const std::string& directory);

/// "bos_token" and "eos_token" of tokenizer_config.json.
Result<TemplateTokens> find_template_tokens(const std::string& directory);

}  // namespace rsr::text
