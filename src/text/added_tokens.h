// Added tokens: strings that become one id before anything else looks at the text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "rsr/status.h"
#include "text/byte_range.h"
#include "text/normalizer.h"

namespace rsr::text {

struct AddedToken {
  int32_t id = 0;
  std::string content;
  bool single_word = false;  ///< only between characters that are not of words
  bool lstrip = false;       ///< takes the white space before it along
  bool rstrip = false;       ///< takes the white space behind it along
  bool normalized = true;    ///< is searched in the normalized text, by its normalized content
  bool special = false;      ///< part of the protocol, hidden from readers
};

/// Finds the longest of many strings that begins at a place of a text.
class TokenTrie {
 public:
  TokenTrie() : nodes_(1) {}
  void insert(std::string_view key, int32_t value);

  /// Calls accept(value, end) for every key that begins at text[at], from short to long; the last
  /// one that it accepts is the result.
  template <class Accept>
  std::optional<std::pair<int32_t, size_t>> longest(std::string_view text, size_t at,
                                                    const Accept& accept) const {
    std::optional<std::pair<int32_t, size_t>> found;
    uint32_t node = 0;
    while (at < text.size() && (node = child(node, text[at])) != 0) {
      ++at;
      const int32_t value = nodes_[node].value;
      if (value >= 0 && accept(value, at)) found = {value, at};
    }
    return found;
  }

 private:
  struct Node {
    int32_t value = -1;
    std::vector<std::pair<char, uint32_t>> children;  ///< sorted by byte
  };
  uint32_t child(uint32_t node, char byte) const;
  std::vector<Node> nodes_;
};

class AddedVocabulary {
 public:
  /// A part of a text: plain text, or an added token.
  struct Part {
    std::string_view text;
    int32_t id = -1;  ///< of the token; -1 for plain text
  };

  /// Reads the member "added_tokens" of tokenizer.json.
  static Result<AddedVocabulary> parse(const base::Json& json, const Normalizer& normalizer);

  const std::vector<AddedToken>& tokens() const { return tokens_; }

  /// Cuts a text at the tokens that are searched in raw (normalized = false) or in normalized text.
  /// Special tokens are not recognised where they overlap `literal`: sorted, disjoint ranges that
  /// do not touch each other.
  std::vector<Part> split(std::string_view text, bool normalized,
                          const std::vector<ByteRange>& literal) const;

 private:
  struct Match {
    ByteRange range;
    int32_t token = 0;
  };
  std::vector<Match> find(std::string_view text, const TokenTrie& trie,
                          const std::vector<ByteRange>& literal) const;

  std::vector<AddedToken> tokens_;
  TokenTrie raw_trie_;
  TokenTrie normalized_trie_;
};

}  // namespace rsr::text
