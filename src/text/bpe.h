// Byte pair encoding: a piece of text to ids by merging neighbours in the order of their rank.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/json.h"
#include "rsr/status.h"

namespace rsr::text {

struct StringHash {
  using is_transparent = void;
  size_t operator()(std::string_view s) const { return std::hash<std::string_view>()(s); }
};
using Vocabulary = std::unordered_map<std::string, int32_t, StringHash, std::equal_to<>>;

class Bpe {
 public:
  /// Reads the member "model" of tokenizer.json.
  static Result<Bpe> parse(const base::Json& json);

  /// Appends the ids of one piece. O(n log n) in its length. Thread-safe.
  Status encode(std::string_view piece, std::vector<int32_t>* ids) const;

  const Vocabulary& vocabulary() const { return vocabulary_; }

 private:
  /// Two neighbours that may be merged; the smallest rank goes first.
  struct Merge {
    int32_t rank = 0;
    int32_t id = 0;  ///< of the merged token
  };

  static uint64_t pair_key(int32_t left, int32_t right);
  Status read_vocabulary(const base::Json& json);
  Status read_merges(const base::Json& json);
  Status read_options(const base::Json& json);
  Status add_merge(std::string_view left, std::string_view right);
  std::optional<int32_t> find(std::string_view token) const;
  const Merge* find_merge(int32_t left, int32_t right) const;
  Status to_symbols(std::string_view piece, std::vector<int32_t>* ids) const;
  bool append_bytes(std::string_view character, std::vector<int32_t>* ids) const;
  void merge_all(std::vector<int32_t>* ids) const;

  Vocabulary vocabulary_;
  std::unordered_map<uint64_t, Merge> merges_;
  int32_t merge_count_ = 0;
  bool ignore_merges_ = false;
  bool byte_fallback_ = false;
  bool fuse_unk_ = false;
  std::optional<int32_t> unk_;
};

}  // namespace rsr::text
