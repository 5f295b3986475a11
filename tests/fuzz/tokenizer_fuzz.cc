// Any tokenizer.json: ids of a text are in its vocabulary, and streaming them gives what decoding
// them at once gives. One byte-level tokenizer with all bytes: decode(encode(x)) == x.
#include <string>
#include <vector>

#include "base/json.h"
#include "fuzz.h"
#include "text/byte_level.h"
#include "text/tokenizer.h"
#include "text/utf8.h"

namespace {

using rsr::base::Json;
using rsr::text::Tokenizer;

/// Every byte is a token, some pairs merge; nothing is special.
Tokenizer make_byte_level() {
  Json vocab = Json::object();
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    vocab[rsr::text::to_byte_level({&c, 1})] = byte;
  }
  Json merges = Json::array();
  for (const char* pair : {"a b", "ab a", "Ġ a", "Ã ©"}) {
    std::string token(pair);
    token.erase(token.find(' '), 1);
    vocab[token] = vocab.size();
    merges.push_back(pair);
  }
  Json json = {{"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}}},
               {"decoder", {{"type", "ByteLevel"}}},
               {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", merges}}}};
  return Tokenizer::from_json(json.dump(), "byte level").value();
}

void check_decoding(const Tokenizer& tokenizer, const std::vector<int32_t>& ids) {
  rsr::text::Utf8Stream stream;
  std::string streamed;
  for (const int32_t id : ids) {
    FUZZ_CHECK(id >= 0 && id < tokenizer.vocab_size());
    streamed += stream.push(tokenizer.token_bytes(id, false));
  }
  streamed += stream.finish();
  FUZZ_CHECK(streamed == tokenizer.decode(ids, false));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Tokenizer byte_level = make_byte_level();
  const auto [json, bytes] = rsr::fuzz::cut_at_zero(data, size);
  const std::string text = rsr::text::replace_invalid_utf8(bytes);
  const auto own = byte_level.encode(text, {});
  FUZZ_CHECK(own.ok());
  FUZZ_CHECK(byte_level.decode(*own, false) == text);
  check_decoding(byte_level, *own);

  const auto tokenizer = Tokenizer::from_json(json, "tokenizer.json");
  if (!tokenizer.ok()) return 0;
  rsr::text::EncodeOptions literal;
  literal.added_tokens = rsr::text::AddedTokens::split_special;
  rsr::text::EncodeOptions mixed;
  if (!text.empty()) mixed.user_ranges.push_back({text.size() / 3, text.size() / 2});
  for (const auto& options : {rsr::text::EncodeOptions{}, literal, mixed}) {
    const auto ids = tokenizer->encode(text, options);
    if (ids.ok()) check_decoding(*tokenizer, *ids);
  }
  return 0;
}
