#include "text/normalizer.h"

#include <utf8proc.h>

#include <cstdlib>
#include <utility>
#include <vector>

#include "base/check.h"
#include "text/growth.h"
#include "text/pattern.h"
#include "text/unicode.h"
#include "text/utf8.h"

namespace rsr::text {
namespace {

using base::Json;
using NormalizerPtr = std::unique_ptr<Normalizer>;

class Unchanged final : public Normalizer {
 public:
  Result<std::string> apply(std::string_view text) const override { return std::string(text); }
};

/// NFC, NFD, NFKC and NFKD.
class UnicodeForm final : public Normalizer {
 public:
  explicit UnicodeForm(int options) : options_(options) {}

  Result<std::string> apply(std::string_view text) const override {
    if (text.empty()) return std::string();
    utf8proc_uint8_t* raw = nullptr;
    const utf8proc_ssize_t length =
        utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                     static_cast<utf8proc_ssize_t>(text.size()), &raw,
                     static_cast<utf8proc_option_t>(UTF8PROC_STABLE | options_));
    if (length < 0) {
      return base::error(ErrorCode::invalid_argument, "normalizer: ", utf8proc_errmsg(length));
    }
    const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(raw, &std::free);
    return std::string(reinterpret_cast<const char*>(raw), static_cast<size_t>(length));
  }

 private:
  int options_;
};

class Lowercase final : public Normalizer {
 public:
  Result<std::string> apply(std::string_view text) const override { return to_lower(text); }
};

class Prepend final : public Normalizer {
 public:
  explicit Prepend(std::string prefix) : prefix_(std::move(prefix)) {}
  Result<std::string> apply(std::string_view text) const override {
    if (text.empty()) return std::string();
    RSR_RETURN_IF_ERROR(check_growth(text.size(), text.size() + prefix_.size()));
    return prefix_ + std::string(text);
  }

 private:
  std::string prefix_;
};

class Replace final : public Normalizer {
 public:
  Replace(Pattern pattern, std::string content)
      : pattern_(std::move(pattern)), content_(std::move(content)) {}

  Result<std::string> apply(std::string_view text) const override {
    RSR_ASSIGN_OR_RETURN(const auto matches, pattern_.find_all(text));
    RSR_RETURN_IF_ERROR(check_growth(text.size(), matches.size() * content_.size()));
    std::string out;
    for (const Span& span : cover(text.size(), matches)) {
      out += span.match ? std::string_view(content_)
                        : text.substr(span.range.begin, span.range.size());
    }
    return out;
  }

 private:
  Pattern pattern_;
  std::string content_;
};

class Strip final : public Normalizer {
 public:
  Strip(bool left, bool right) : left_(left), right_(right) {}

  Result<std::string> apply(std::string_view text) const override {
    while (left_ && !text.empty()) {
      const Utf8Char c = decode_utf8(text, 0);
      if (!is_white_space(c.code_point)) break;
      text.remove_prefix(c.length);
    }
    while (right_ && !text.empty()) {
      const Utf8Char c = last_char(text);
      if (!is_white_space(c.code_point)) break;
      text.remove_suffix(c.length);
    }
    return std::string(text);
  }

 private:
  bool left_;
  bool right_;
};

class Sequence final : public Normalizer {
 public:
  explicit Sequence(std::vector<NormalizerPtr> parts) : parts_(std::move(parts)) {}

  Result<std::string> apply(std::string_view text) const override {
    std::string current(text);
    for (const NormalizerPtr& part : parts_) {
      RSR_ASSIGN_OR_RETURN(current, part->apply(current));
      RSR_RETURN_IF_ERROR(check_growth(text.size(), current.size()));
    }
    return current;
  }

 private:
  std::vector<NormalizerPtr> parts_;
};

Result<NormalizerPtr> parse_sequence(const Json& json, RegexCache* regexes) {
  const Json* list = base::json_find(json, "normalizers");
  if (list == nullptr || !list->is_array()) {
    return base::error(ErrorCode::corrupt_data, "\"normalizers\" must be an array");
  }
  std::vector<NormalizerPtr> parts;
  for (const Json& member : *list) {
    RSR_ASSIGN_OR_RETURN(NormalizerPtr part, parse_normalizer(member, regexes));
    parts.push_back(std::move(part));
  }
  return NormalizerPtr(std::make_unique<Sequence>(std::move(parts)));
}

Result<NormalizerPtr> parse_replace(const Json& json, RegexCache* regexes) {
  const Json* pattern = base::json_find(json, "pattern");
  if (pattern == nullptr) {
    return base::error(ErrorCode::corrupt_data, "Replace: \"pattern\" is missing");
  }
  RSR_ASSIGN_OR_RETURN(Pattern compiled, Pattern::parse(*pattern, regexes));
  RSR_ASSIGN_OR_RETURN(std::string content, base::json_require_string(json, "content"));
  return NormalizerPtr(std::make_unique<Replace>(std::move(compiled), std::move(content)));
}

Result<NormalizerPtr> parse_strip(const Json& json) {
  RSR_ASSIGN_OR_RETURN(const bool left, base::json_bool(json, "strip_left", true));
  RSR_ASSIGN_OR_RETURN(const bool right, base::json_bool(json, "strip_right", true));
  return NormalizerPtr(std::make_unique<Strip>(left, right));
}

Result<NormalizerPtr> parse_prepend(const Json& json) {
  RSR_ASSIGN_OR_RETURN(std::string prefix, base::json_require_string(json, "prepend"));
  return NormalizerPtr(std::make_unique<Prepend>(std::move(prefix)));
}

}  // namespace

Result<NormalizerPtr> parse_normalizer(const Json& json, RegexCache* regexes) {
  if (json.is_null()) return NormalizerPtr(std::make_unique<Unchanged>());
  RSR_ASSIGN_OR_RETURN(const std::string type, base::json_require_string(json, "type"));
  const std::pair<const char*, int> forms[] = {
      {"NFC", UTF8PROC_COMPOSE},
      {"NFD", UTF8PROC_DECOMPOSE},
      {"NFKC", UTF8PROC_COMPOSE | UTF8PROC_COMPAT},
      {"NFKD", UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT},
  };
  for (const auto& [name, options] : forms) {
    if (type == name) return NormalizerPtr(std::make_unique<UnicodeForm>(options));
  }
  if (type == "Sequence") return parse_sequence(json, regexes);
  if (type == "Replace") return parse_replace(json, regexes);
  if (type == "Strip") return parse_strip(json);
  if (type == "Prepend") return parse_prepend(json);
  if (type == "Lowercase") return NormalizerPtr(std::make_unique<Lowercase>());
  return base::error(ErrorCode::unsupported, "unknown normalizer \"", type, "\"");
}

}  // namespace rsr::text
