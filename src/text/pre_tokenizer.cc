#include "text/pre_tokenizer.h"

#include <functional>
#include <utility>

#include "base/check.h"
#include "text/byte_level.h"
#include "text/growth.h"
#include "text/pattern.h"
#include "text/unicode.h"

namespace rsr::text {
namespace {

using base::Json;
using PreTokenizerPtr = std::unique_ptr<PreTokenizer>;
using Pieces = std::vector<std::string>;

/// What ByteLevel cuts at when it is told to use its own regex: the one of GPT-2.
constexpr const char* kGpt2Regex =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

/// Words and runs of other visible characters. The first class is is_word() as a regex.
constexpr const char* kWhitespaceRegex =
    R"([\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\x{200C}\x{200D}]+)"
    R"(|[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\x{200C}\x{200D}\s]+)";

void append_cut(std::string_view piece, const std::vector<ByteRange>& ranges, Pieces* out) {
  for (const ByteRange& range : ranges) out->emplace_back(piece.substr(range.begin, range.size()));
}

size_t total_bytes(const Pieces& pieces) {
  size_t total = 0;
  for (const std::string& piece : pieces) total += piece.size();
  return total;
}

class Unchanged final : public PreTokenizer {
 public:
  Status apply(Pieces* /*pieces*/) const override { return {}; }
};

class Split final : public PreTokenizer {
 public:
  Split(Pattern pattern, SplitBehavior behavior, bool invert)
      : pattern_(std::move(pattern)), behavior_(behavior), invert_(invert) {}

  Status apply(Pieces* pieces) const override {
    Pieces out;
    for (const std::string& piece : *pieces) {
      RSR_ASSIGN_OR_RETURN(const auto matches, pattern_.find_all(piece));
      std::vector<Span> spans = cover(piece.size(), matches);
      for (Span& span : spans) span.match = span.match != invert_;
      append_cut(piece, cut(spans, behavior_), &out);
    }
    *pieces = std::move(out);
    return {};
  }

 private:
  Pattern pattern_;
  SplitBehavior behavior_;
  bool invert_;
};

/// Cuts at single characters of a class: digits, punctuation, white space.
class SplitAtChars final : public PreTokenizer {
 public:
  SplitAtChars(bool (*is_match)(char32_t), SplitBehavior behavior)
      : is_match_(is_match), behavior_(behavior) {}

  Status apply(Pieces* pieces) const override {
    Pieces out;
    for (const std::string& piece : *pieces) {
      append_cut(piece, cut(cover_chars(piece, is_match_), behavior_), &out);
    }
    *pieces = std::move(out);
    return {};
  }

 private:
  bool (*is_match_)(char32_t);
  SplitBehavior behavior_;
};

class ByteLevel final : public PreTokenizer {
 public:
  ByteLevel(bool add_prefix_space, PreTokenizerPtr splitter)
      : add_prefix_space_(add_prefix_space), splitter_(std::move(splitter)) {}

  Status apply(Pieces* pieces) const override {
    for (std::string& piece : *pieces) {
      if (add_prefix_space_ && !piece.starts_with(' ')) piece.insert(piece.begin(), ' ');
    }
    RSR_RETURN_IF_ERROR(splitter_->apply(pieces));
    for (std::string& piece : *pieces) piece = to_byte_level(piece);
    return {};
  }

 private:
  bool add_prefix_space_;
  PreTokenizerPtr splitter_;
};

class Sequence final : public PreTokenizer {
 public:
  explicit Sequence(std::vector<PreTokenizerPtr> parts) : parts_(std::move(parts)) {}

  Status apply(Pieces* pieces) const override {
    const size_t before = total_bytes(*pieces);
    for (const PreTokenizerPtr& part : parts_) {
      RSR_RETURN_IF_ERROR(part->apply(pieces));
      RSR_RETURN_IF_ERROR(check_growth(before, total_bytes(*pieces)));
    }
    return {};
  }

 private:
  std::vector<PreTokenizerPtr> parts_;
};

Result<PreTokenizerPtr> regex_split(const char* regex, SplitBehavior behavior, bool invert,
                                    RegexCache* regexes) {
  RSR_ASSIGN_OR_RETURN(Pattern pattern, Pattern::regex(regex, regexes));
  return PreTokenizerPtr(std::make_unique<Split>(std::move(pattern), behavior, invert));
}

Result<PreTokenizerPtr> parse_sequence(const Json& json, RegexCache* regexes) {
  const Json* list = base::json_find(json, "pretokenizers");
  if (list == nullptr || !list->is_array()) {
    return base::error(ErrorCode::corrupt_data, "\"pretokenizers\" must be an array");
  }
  std::vector<PreTokenizerPtr> parts;
  for (const Json& member : *list) {
    RSR_ASSIGN_OR_RETURN(PreTokenizerPtr part, parse_pre_tokenizer(member, regexes));
    parts.push_back(std::move(part));
  }
  return PreTokenizerPtr(std::make_unique<Sequence>(std::move(parts)));
}

Result<PreTokenizerPtr> parse_split(const Json& json, RegexCache* regexes) {
  const Json* pattern = base::json_find(json, "pattern");
  if (pattern == nullptr) {
    return base::error(ErrorCode::corrupt_data, "Split: \"pattern\" is missing");
  }
  RSR_ASSIGN_OR_RETURN(Pattern compiled, Pattern::parse(*pattern, regexes));
  RSR_ASSIGN_OR_RETURN(const std::string name, base::json_require_string(json, "behavior"));
  RSR_ASSIGN_OR_RETURN(const SplitBehavior behavior, parse_split_behavior(name));
  RSR_ASSIGN_OR_RETURN(const bool invert, base::json_bool(json, "invert", false));
  return PreTokenizerPtr(std::make_unique<Split>(std::move(compiled), behavior, invert));
}

Result<PreTokenizerPtr> parse_byte_level(const Json& json, RegexCache* regexes) {
  RSR_ASSIGN_OR_RETURN(const bool prefix, base::json_bool(json, "add_prefix_space", true));
  RSR_ASSIGN_OR_RETURN(const bool use_regex, base::json_bool(json, "use_regex", true));
  PreTokenizerPtr splitter = std::make_unique<Unchanged>();
  if (use_regex) {
    RSR_ASSIGN_OR_RETURN(splitter,
                         regex_split(kGpt2Regex, SplitBehavior::isolated, false, regexes));
  }
  return PreTokenizerPtr(std::make_unique<ByteLevel>(prefix, std::move(splitter)));
}

Result<PreTokenizerPtr> parse_digits(const Json& json) {
  RSR_ASSIGN_OR_RETURN(const bool individual, base::json_bool(json, "individual_digits", false));
  return PreTokenizerPtr(std::make_unique<SplitAtChars>(
      is_numeric, individual ? SplitBehavior::isolated : SplitBehavior::contiguous));
}

Result<PreTokenizerPtr> parse_punctuation(const Json& json) {
  RSR_ASSIGN_OR_RETURN(const std::string name, base::json_string(json, "behavior", "Isolated"));
  RSR_ASSIGN_OR_RETURN(const SplitBehavior behavior, parse_split_behavior(name));
  return PreTokenizerPtr(std::make_unique<SplitAtChars>(is_punctuation, behavior));
}

}  // namespace

Result<PreTokenizerPtr> parse_pre_tokenizer(const Json& json, RegexCache* regexes) {
  if (json.is_null()) return PreTokenizerPtr(std::make_unique<Unchanged>());
  RSR_ASSIGN_OR_RETURN(const std::string type, base::json_require_string(json, "type"));
  if (type == "Sequence") return parse_sequence(json, regexes);
  if (type == "Split") return parse_split(json, regexes);
  if (type == "ByteLevel") return parse_byte_level(json, regexes);
  if (type == "Digits") return parse_digits(json);
  if (type == "Punctuation") return parse_punctuation(json);
  if (type == "WhitespaceSplit") {
    return PreTokenizerPtr(std::make_unique<SplitAtChars>(is_white_space, SplitBehavior::removed));
  }
  // Whitespace keeps what its regex matches, so matches and gaps change places.
  if (type == "Whitespace")
    return regex_split(kWhitespaceRegex, SplitBehavior::removed, true, regexes);
  return base::error(ErrorCode::unsupported, "unknown pre_tokenizer \"", type, "\"");
}

}  // namespace rsr::text
