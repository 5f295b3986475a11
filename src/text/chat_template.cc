#include "text/chat_template.h"

#include <array>
#include <utility>

#include "base/check.h"
#include "text/chat_template_sources.h"
#include "text/jinja_filters.h"
#include "text/utf8.h"

namespace rsr::text {
namespace {

using base::error;

/// Collects segments; neighbours of one kind become one.
class Writer {
 public:
  void own(std::string_view text) { append(text, true); }
  void user(std::string_view text) { append(text, false); }
  std::vector<Segment> take() { return std::move(segments_); }

 private:
  void append(std::string_view text, bool from_template) {
    if (text.empty()) return;
    if (segments_.empty() || segments_.back().from_template != from_template) {
      segments_.push_back({"", from_template});
    }
    segments_.back().text += text;
  }
  std::vector<Segment> segments_;
};

struct Conversation {
  const std::vector<Message>& messages;
  const TemplateTokens& tokens;
  bool add_generation_prompt;
};

// A role that a template copies is text of the user's as well: a request chooses it freely.

Status render_bitnet(const Conversation& conversation, Writer* out) {
  for (const Message& message : conversation.messages) {
    out->user(jinja_capitalize(message.role));
    out->own(": ");
    out->user(jinja_trim(message.content));
    out->own("<|eot_id|>");
  }
  if (conversation.add_generation_prompt) out->own("Assistant: ");
  return {};
}

Status render_llama3(const Conversation& conversation, Writer* out) {
  bool first = true;
  for (const Message& message : conversation.messages) {
    if (std::exchange(first, false)) out->own(conversation.tokens.bos);
    out->own("<|start_header_id|>");
    out->user(message.role);
    out->own("<|end_header_id|>\n\n");
    out->user(jinja_trim(message.content));
    out->own("<|eot_id|>");
  }
  if (conversation.add_generation_prompt) {
    out->own("<|start_header_id|>assistant<|end_header_id|>\n\n");
  }
  return {};
}

/// Meta's first version writes the generation prompt in any case.
Status render_llama3_always(const Conversation& conversation, Writer* out) {
  return render_llama3({conversation.messages, conversation.tokens, true}, out);
}

Status render_chatml(const Conversation& conversation, Writer* out) {
  for (const Message& message : conversation.messages) {
    out->own("<|im_start|>");
    out->user(message.role);
    out->own("\n");
    out->user(message.content);
    out->own("<|im_end|>\n");
  }
  if (conversation.add_generation_prompt) out->own("<|im_start|>assistant\n");
  return {};
}

/// The branch without tools.
Status render_falcon3(const Conversation& conversation, Writer* out) {
  const size_t count = conversation.messages.size();
  for (size_t i = 0; i < count; ++i) {
    const auto& [role, content] = conversation.messages[i];
    const bool assistant = role == "assistant";
    if (!assistant && role != "system" && role != "user") {
      return error(ErrorCode::invalid_argument, "message ", i, ": the template knows no role \"",
                   role.substr(0, 60), "\"");
    }
    out->own("<|" + role + "|>\n");
    out->user(content);
    if (assistant) out->own(conversation.tokens.eos);
    if (!assistant || i + 1 < count) out->own("\n");
    if (i + 1 == count && conversation.add_generation_prompt) out->own("<|assistant|>\n");
  }
  return {};
}

/// In the one-line templates every newline is inside a string literal, where the escape means the
/// same. Both spellings are published.
std::string with_escaped_newlines(std::string_view source) {
  std::string out;
  for (const char c : source) {
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

struct ChatTemplate::Known {
  const char* name;
  std::string_view source;
  Status (*render)(const Conversation& conversation, Writer* out);
  bool needs_bos;
  bool needs_eos;
  bool one_line;

  bool matches(std::string_view text) const {
    return text == source || (one_line && text == with_escaped_newlines(source));
  }
};

namespace {

std::string_view without_last_newline(std::string_view text) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  return text;
}

}  // namespace

Result<ChatTemplate> ChatTemplate::from_source(std::string_view jinja,
                                               const TemplateTokens& tokens) {
  static constexpr std::array<Known, 7> kKnown = {{
      {"bitnet", kBitnetSource, render_bitnet, false, false, true},
      {"bitnet", kBitnetLoopSource, render_bitnet, false, false, true},
      {"llama3", kLlama3Source, render_llama3, true, false, true},
      {"llama3", kLlama3AlwaysSource, render_llama3_always, true, false, true},
      {"chatml", kChatmlSource, render_chatml, false, false, true},
      {"chatml", kChatmlDefaultSource, render_chatml, false, false, true},
      {"falcon3", kFalcon3Source, render_falcon3, false, true, false},
  }};
  const std::string_view source = without_last_newline(jinja);  // Jinja drops one, too
  for (const Known& known : kKnown) {
    if (!known.matches(source)) continue;
    if ((known.needs_bos && tokens.bos.empty()) || (known.needs_eos && tokens.eos.empty())) {
      return error(ErrorCode::invalid_argument, "chat template ", known.name, " needs the token \"",
                   known.needs_bos ? "bos_token" : "eos_token",
                   "\", which the model does not name");
    }
    ChatTemplate result;
    result.name_ = known.name;
    result.tokens_ = tokens;
    result.writes_bos_ = known.needs_bos;
    result.known_ = &known;
    return result;
  }
  return error(ErrorCode::unsupported, "unknown chat template of ", jinja.size(), " bytes: \"",
               replace_invalid_utf8(jinja.substr(0, 60)), jinja.size() > 60 ? "...\"" : "\"");
}

Result<std::vector<Segment>> ChatTemplate::render(const std::vector<Message>& messages,
                                                  bool add_generation_prompt) const {
  for (size_t i = 0; i < messages.size(); ++i) {
    if (find_invalid_utf8(messages[i].role) || find_invalid_utf8(messages[i].content)) {
      return error(ErrorCode::invalid_argument, "message ", i, " is not UTF-8");
    }
  }
  Writer out;
  RSR_RETURN_IF_ERROR(known_->render({messages, tokens_, add_generation_prompt}, &out));
  return out.take();
}

Result<std::vector<int32_t>> encode_segments(const Tokenizer& tokenizer,
                                             std::span<const Segment> segments, bool add_special) {
  std::string text;
  EncodeOptions options;
  options.add_special = add_special;
  for (const Segment& segment : segments) {
    const size_t begin = text.size();
    text += segment.text;
    if (!segment.from_template) options.user_ranges.push_back({begin, text.size()});
  }
  return tokenizer.encode(text, options);
}

}  // namespace rsr::text
