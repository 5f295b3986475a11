#include "text/tokenizer.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "base/check.h"
#include "base/file.h"
#include "base/json.h"
#include "text/added_tokens.h"
#include "text/bpe.h"
#include "text/byte_level.h"
#include "text/growth.h"
#include "text/normalizer.h"
#include "text/post_processor.h"
#include "text/pre_tokenizer.h"
#include "text/user_ranges.h"
#include "text/utf8.h"

namespace rsr::text {
namespace {

using base::error;
using base::Json;

constexpr size_t kMaxFileBytes = size_t{256} << 20;

/// The member of an object, null when it is missing.
const Json& member(const Json& json, const char* key) {
  static const Json kNull;
  const Json* found = base::json_find(json, key);
  return found == nullptr ? kNull : *found;
}

/// Only byte-level decoding is known: the text of an id then never depends on its neighbours, which
/// is what streaming needs.
Status check_decoder(const Json& json) {
  if (json.is_null()) return error(ErrorCode::unsupported, "no decoder, expected \"ByteLevel\"");
  RSR_ASSIGN_OR_RETURN(const std::string type, base::json_require_string(json, "type"));
  if (type == "ByteLevel") return {};
  return error(ErrorCode::unsupported, "unknown decoder \"", type, "\"");
}

}  // namespace

struct Tokenizer::Impl {
  struct Token {
    std::string content;
    std::string bytes;
    bool special = false;
  };

  std::unique_ptr<Normalizer> normalizer;
  std::unique_ptr<PreTokenizer> pre_tokenizer;
  AddedVocabulary added;
  Bpe bpe;
  PostProcessor post_processor;
  /// By id. A table would let one wild id in a small file take a gigabyte.
  std::unordered_map<int32_t, Token> tokens;
  int32_t vocab_size = 0;

  static Result<std::unique_ptr<Impl>> parse(const Json& json);
  Status fill_tokens();
  Status check_post_processor() const;
  Status add_token(int32_t id, const std::string& content);
  Status encode_part(std::string_view part, const std::vector<ByteRange>& literal,
                     std::vector<int32_t>* ids) const;
  const Token* find(int32_t id) const {
    const auto it = tokens.find(id);
    return it == tokens.end() ? nullptr : &it->second;
  }
};

Status Tokenizer::Impl::add_token(int32_t id, const std::string& content) {
  const auto [it, fresh] = tokens.try_emplace(id);
  Token& token = it->second;
  if (!fresh && token.content != content) {
    return error(ErrorCode::corrupt_data, "\"", token.content, "\" and \"", content,
                 "\" both have id ", id);
  }
  token = {content, from_byte_level(content), token.special};
  vocab_size = std::max(vocab_size, id + 1);
  return {};
}

Status Tokenizer::Impl::fill_tokens() {
  tokens.reserve(bpe.vocabulary().size() + added.tokens().size());
  for (const auto& [content, id] : bpe.vocabulary()) {
    RSR_RETURN_IF_ERROR(add_token(id, content));
  }
  for (const AddedToken& token : added.tokens()) {
    const auto known = bpe.vocabulary().find(token.content);
    if (known != bpe.vocabulary().end() && known->second != token.id) {
      return error(ErrorCode::corrupt_data, "added token \"", token.content, "\" has id ", token.id,
                   ", the vocabulary gives it ", known->second);
    }
    RSR_RETURN_IF_ERROR(add_token(token.id, token.content));
    tokens[token.id].special = token.special;
  }
  return {};
}

Status Tokenizer::Impl::check_post_processor() const {
  for (const std::vector<int32_t>* ids : {&post_processor.before, &post_processor.after}) {
    for (const int32_t id : *ids) {
      if (find(id) == nullptr) return error(ErrorCode::corrupt_data, "there is no token ", id);
    }
  }
  return {};
}

Result<std::unique_ptr<Tokenizer::Impl>> Tokenizer::Impl::parse(const Json& json) {
  if (!json.is_object()) return error(ErrorCode::corrupt_data, "must be an object");
  auto impl = std::make_unique<Impl>();
  const auto in = [](const char* part, const auto& result) {
    return result.ok() ? Status() : result.status().with_context(part);
  };
  RegexCache regexes;
  auto normalizer = parse_normalizer(member(json, "normalizer"), &regexes);
  RSR_RETURN_IF_ERROR(in("normalizer", normalizer));
  impl->normalizer = std::move(normalizer).value();
  auto pre_tokenizer = parse_pre_tokenizer(member(json, "pre_tokenizer"), &regexes);
  RSR_RETURN_IF_ERROR(in("pre_tokenizer", pre_tokenizer));
  impl->pre_tokenizer = std::move(pre_tokenizer).value();
  auto added = AddedVocabulary::parse(member(json, "added_tokens"), *impl->normalizer);
  RSR_RETURN_IF_ERROR(in("added_tokens", added));
  impl->added = std::move(added).value();
  auto bpe = Bpe::parse(member(json, "model"));
  RSR_RETURN_IF_ERROR(in("model", bpe));
  impl->bpe = std::move(bpe).value();
  auto post_processor = parse_post_processor(member(json, "post_processor"));
  RSR_RETURN_IF_ERROR(in("post_processor", post_processor));
  impl->post_processor = std::move(post_processor).value();
  RSR_RETURN_IF_ERROR(check_decoder(member(json, "decoder")).with_context("decoder"));
  RSR_RETURN_IF_ERROR(impl->fill_tokens());
  RSR_RETURN_IF_ERROR(impl->check_post_processor().with_context("post_processor"));
  return impl;
}

Status Tokenizer::Impl::encode_part(std::string_view part, const std::vector<ByteRange>& literal,
                                    std::vector<int32_t>* ids) const {
  RSR_ASSIGN_OR_RETURN(const std::string text, normalizer->apply(part));
  // Where normalizing moved bytes, the user's are not known any more: all of the part is theirs.
  std::vector<ByteRange> moved;
  if (text != part && !literal.empty() && !text.empty()) moved.push_back({0, text.size()});
  for (const auto& [piece, id] : added.split(text, true, text == part ? literal : moved)) {
    if (id >= 0) {
      ids->push_back(id);
      continue;
    }
    std::vector<std::string> pieces{std::string(piece)};
    RSR_RETURN_IF_ERROR(pre_tokenizer->apply(&pieces));
    for (const std::string& word : pieces) RSR_RETURN_IF_ERROR(bpe.encode(word, ids));
  }
  return {};
}

Tokenizer::Tokenizer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

Result<Tokenizer> Tokenizer::from_file(const std::string& path) {
  RSR_ASSIGN_OR_RETURN(const std::string text, base::read_file(path, kMaxFileBytes));
  return from_json(text, path);
}

Result<Tokenizer> Tokenizer::from_json(std::string_view json, const std::string& what) {
  RSR_ASSIGN_OR_RETURN(const Json parsed, base::parse_json(json, what));
  Result<std::unique_ptr<Impl>> impl = Impl::parse(parsed);
  if (!impl.ok()) return impl.status().with_context(what);
  return Tokenizer(std::move(impl).value());
}

Result<std::vector<int32_t>> Tokenizer::encode(std::string_view text,
                                               const EncodeOptions& options) const {
  if (text.size() > kMaxTextBytes) {
    return error(ErrorCode::limit_exceeded, "text of ", text.size(), " bytes, at most ",
                 kMaxTextBytes, " are accepted");
  }
  if (const auto invalid = find_invalid_utf8(text)) {
    return error(ErrorCode::invalid_argument, "the text is not UTF-8 at byte ", *invalid);
  }
  std::vector<ByteRange> literal;
  if (options.added_tokens == AddedTokens::split_special) {
    if (!text.empty()) literal.push_back({0, text.size()});
  } else {
    RSR_ASSIGN_OR_RETURN(literal, join_ranges(options.user_ranges, text.size()));
  }
  std::vector<int32_t> ids;
  const PostProcessor& post = impl_->post_processor;
  if (options.add_special) ids = post.before;
  for (const auto& [part, id] : impl_->added.split(text, false, literal)) {
    if (id >= 0) {
      ids.push_back(id);
      continue;
    }
    const auto begin = static_cast<size_t>(part.data() - text.data());
    const auto within = ranges_within(literal, begin, part.size());
    RSR_RETURN_IF_ERROR(impl_->encode_part(part, within, &ids));
    RSR_RETURN_IF_ERROR(check_growth(text.size(), ids.size()));
  }
  if (options.add_special) ids.insert(ids.end(), post.after.begin(), post.after.end());
  return ids;
}

const std::vector<int32_t>& Tokenizer::begin_ids() const {
  return impl_->post_processor.before;
}

std::string_view Tokenizer::token_bytes(int32_t id, bool skip_special) const {
  const Impl::Token* token = impl_->find(id);
  if (token == nullptr || (skip_special && token->special)) return {};
  return token->bytes;
}

std::string Tokenizer::decode(std::span<const int32_t> ids, bool skip_special) const {
  std::string bytes;
  for (const int32_t id : ids) bytes += token_bytes(id, skip_special);
  return replace_invalid_utf8(bytes);
}

std::optional<int32_t> Tokenizer::find(std::string_view content) const {
  for (const AddedToken& token : impl_->added.tokens()) {
    if (token.content == content) return token.id;
  }
  const auto it = impl_->bpe.vocabulary().find(content);
  if (it == impl_->bpe.vocabulary().end()) return std::nullopt;
  return it->second;
}

int32_t Tokenizer::vocab_size() const {
  return impl_->vocab_size;
}

}  // namespace rsr::text
