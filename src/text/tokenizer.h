// Byte-level BPE as Hugging Face's tokenizer.json describes it: text to ids and back.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rsr/status.h"
#include "text/byte_range.h"

namespace rsr::text {

/// How added tokens in the text are treated.
enum class AddedTokens {
  parse,         ///< every added token in the text becomes its id (Hugging Face's default)
  split_special  ///< special ones stay plain text: for text that users write
};

struct EncodeOptions {
  /// Add what the post-processor adds (usually the begin-of-text id).
  bool add_special = true;
  AddedTokens added_tokens = AddedTokens::parse;
  /// With `parse`: bytes of the text that users wrote, in order and without overlaps. A special
  /// token that overlaps one stays plain text there; everything else is as if there were none.
  std::vector<ByteRange> user_ranges = {};
};

class Tokenizer {
 public:
  static constexpr size_t kMaxTextBytes = size_t{64} << 20;

  /// Reads tokenizer.json. Components that are not understood are refused by name.
  static Result<Tokenizer> from_file(const std::string& path);
  static Result<Tokenizer> from_json(std::string_view json, const std::string& what);
  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  /// Ids of `text`, which must be valid UTF-8 of at most kMaxTextBytes. Thread-safe.
  Result<std::vector<int32_t>> encode(std::string_view text, const EncodeOptions& options) const;

  /// What encode() puts before a text with `add_special`, such as the begin-of-text id.
  const std::vector<int32_t>& begin_ids() const;

  /// Bytes of one id, as they stand in the text: may be part of a UTF-8 character. Special tokens
  /// give nothing when `skip_special`; ids outside the vocabulary give nothing.
  std::string_view token_bytes(int32_t id, bool skip_special) const;

  /// The text of ids, invalid UTF-8 replaced by U+FFFD.
  std::string decode(std::span<const int32_t> ids, bool skip_special) const;

  /// Id of the token with exactly this content.
  std::optional<int32_t> find(std::string_view content) const;

  /// One more than the largest id.
  int32_t vocab_size() const;

 private:
  struct Impl;
  explicit Tokenizer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Turns the bytes of successive tokens into whole UTF-8 characters.
class Utf8Stream {
 public:
  /// Takes bytes, gives all characters that are complete by now; a byte that cannot belong to any
  /// character becomes U+FFFD.
  std::string push(std::string_view bytes);
  /// What is left at the end: U+FFFD for a character that was begun and not finished.
  std::string finish();

 private:
  std::string pending_;
};

}  // namespace rsr::text
