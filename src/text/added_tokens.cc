#include "text/added_tokens.h"

#include <algorithm>
#include <set>

#include "base/check.h"
#include "text/unicode.h"
#include "text/utf8.h"

namespace rsr::text {
namespace {

using base::error;
using base::Json;

/// A search walks at most this far from each place of the text.
constexpr size_t kMaxContentBytes = 1024;
constexpr int64_t kMaxId = (int64_t{1} << 24) - 1;

Result<AddedToken> parse_token(const Json& json) {
  AddedToken token;
  RSR_ASSIGN_OR_RETURN(token.content, base::json_require_string(json, "content"));
  RSR_ASSIGN_OR_RETURN(const int64_t id, base::json_require_int(json, "id"));
  if (id < 0 || id > kMaxId) {
    return error(ErrorCode::corrupt_data, "\"", token.content, "\" has id ", id, ", ids are 0 to ",
                 kMaxId);
  }
  if (token.content.size() > kMaxContentBytes) {
    return error(ErrorCode::limit_exceeded, "token ", id, " has ", token.content.size(),
                 " bytes, at most ", kMaxContentBytes, " are accepted");
  }
  token.id = static_cast<int32_t>(id);
  RSR_ASSIGN_OR_RETURN(token.special, base::json_bool(json, "special", false));
  RSR_ASSIGN_OR_RETURN(token.normalized, base::json_bool(json, "normalized", !token.special));
  RSR_ASSIGN_OR_RETURN(token.single_word, base::json_bool(json, "single_word", false));
  RSR_ASSIGN_OR_RETURN(token.lstrip, base::json_bool(json, "lstrip", false));
  RSR_ASSIGN_OR_RETURN(token.rstrip, base::json_bool(json, "rstrip", false));
  return token;
}

/// How a match of a special token lies to the literal ranges.
enum class Overlap { none, inside, across };

Overlap overlap(const ByteRange& match, const std::vector<ByteRange>& literal) {
  const auto it = std::partition_point(literal.begin(), literal.end(),
                                       [&](const ByteRange& r) { return r.end <= match.begin; });
  if (it == literal.end() || it->begin >= match.end) return Overlap::none;
  return it->begin <= match.begin && match.end <= it->end ? Overlap::inside : Overlap::across;
}

bool stands_alone(std::string_view text, const ByteRange& match) {
  const bool word_before =
      match.begin > 0 && is_word(last_char(text.substr(0, match.begin)).code_point);
  const bool word_after =
      match.end < text.size() && is_word(decode_utf8(text, match.end).code_point);
  return !word_before && !word_after;
}

/// Goes back to `first` at most: without an end, many tokens in much space would take long.
size_t skip_space_back(std::string_view text, size_t at, size_t first) {
  while (at > first) {
    const Utf8Char c = last_char(text.substr(0, at));
    if (!is_white_space(c.code_point)) break;
    at -= c.length;
  }
  return at;
}

size_t skip_space(std::string_view text, size_t at) {
  while (at < text.size()) {
    const Utf8Char c = decode_utf8(text, at);
    if (!is_white_space(c.code_point)) break;
    at += c.length;
  }
  return at;
}

}  // namespace

void TokenTrie::insert(std::string_view key, int32_t value) {
  uint32_t node = 0;
  for (const char byte : key) {
    uint32_t next = child(node, byte);
    if (next == 0) {
      next = static_cast<uint32_t>(nodes_.size());
      nodes_.emplace_back();
      auto& children = nodes_[node].children;
      const std::pair<char, uint32_t> edge(byte, next);
      children.insert(std::lower_bound(children.begin(), children.end(), edge), edge);
    }
    node = next;
  }
  // Of two tokens with one normal form the first is found.
  if (nodes_[node].value < 0) nodes_[node].value = value;
}

uint32_t TokenTrie::child(uint32_t node, char byte) const {
  const auto& children = nodes_[node].children;
  const auto it = std::lower_bound(children.begin(), children.end(), byte,
                                   [](const auto& edge, char b) { return edge.first < b; });
  return it != children.end() && it->first == byte ? it->second : 0;
}

Result<AddedVocabulary> AddedVocabulary::parse(const Json& json, const Normalizer& normalizer) {
  AddedVocabulary result;
  if (json.is_null()) return result;
  if (!json.is_array()) return error(ErrorCode::corrupt_data, "must be an array");
  std::set<std::string> contents;
  std::set<int32_t> ids;
  for (const Json& member : json) {
    RSR_ASSIGN_OR_RETURN(AddedToken token, parse_token(member));
    if (token.content.empty()) continue;
    if (!contents.insert(token.content).second || !ids.insert(token.id).second) {
      return error(ErrorCode::corrupt_data, "\"", token.content, "\" (id ", token.id,
                   "): its content or its id is given twice");
    }
    std::string key = token.content;
    if (token.normalized) {
      RSR_ASSIGN_OR_RETURN(key, normalizer.apply(key));
      if (key.size() > kMaxContentBytes) {
        return error(ErrorCode::limit_exceeded, "token ", token.id, " has ", key.size(),
                     " bytes when it is normalized, at most ", kMaxContentBytes, " are accepted");
      }
    }
    const auto index = static_cast<int32_t>(result.tokens_.size());
    if (!key.empty())
      (token.normalized ? result.normalized_trie_ : result.raw_trie_).insert(key, index);
    result.tokens_.push_back(std::move(token));
  }
  return result;
}

std::vector<AddedVocabulary::Match> AddedVocabulary::find(
    std::string_view text, const TokenTrie& trie, const std::vector<ByteRange>& literal) const {
  std::vector<Match> matches;
  size_t at = 0;
  while (at < text.size()) {
    // A special token that lies half in literal text is no candidate, so that such text can never
    // swallow a token of the template beside it.
    const auto found = trie.longest(text, at, [&](int32_t token, size_t end) {
      return !tokens_[static_cast<size_t>(token)].special ||
             overlap({at, end}, literal) != Overlap::across;
    });
    if (!found) {
      ++at;
      continue;
    }
    const Match match{{at, found->second}, found->first};
    const AddedToken& token = tokens_[static_cast<size_t>(match.token)];
    // One inside literal text is found and left as text, and so is what it contains: the same as
    // Hugging Face's split_special_tokens.
    const bool refused = (token.special && overlap(match.range, literal) != Overlap::none) ||
                         (token.single_word && !stands_alone(text, match.range));
    if (!refused) matches.push_back(match);
    at = match.range.end;
  }
  return matches;
}

std::vector<AddedVocabulary::Part> AddedVocabulary::split(
    std::string_view text, bool normalized, const std::vector<ByteRange>& literal) const {
  std::vector<Part> parts;
  size_t done = 0;
  const TokenTrie& trie = normalized ? normalized_trie_ : raw_trie_;
  for (const Match& match : find(text, trie, literal)) {
    const AddedToken& token = tokens_[static_cast<size_t>(match.token)];
    ByteRange range = match.range;
    if (token.lstrip) range.begin = skip_space_back(text, range.begin, std::min(done, range.begin));
    if (token.rstrip) range.end = skip_space(text, range.end);
    if (done < range.begin) parts.push_back({text.substr(done, range.begin - done)});
    parts.push_back({text.substr(range.begin, range.end - range.begin), token.id});
    done = range.end;
  }
  if (done < text.size()) parts.push_back({text.substr(done)});
  return parts;
}

}  // namespace rsr::text
