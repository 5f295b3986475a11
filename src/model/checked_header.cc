#include "model/checked_header.h"

#include <algorithm>
#include <optional>
#include <span>

#include "base/check.h"
#include "base/checksum.h"

namespace rsr::model {
namespace {

using base::error;

constexpr std::string_view kHashBegin = "\"rsr.header_hash\":\"";
constexpr size_t kMostText = 200;

/// Place of the digits of the header's hash in the header, when it has them.
std::optional<size_t> hash_place(std::string_view header) {
  const size_t at = header.find(kHashBegin);
  if (at == std::string_view::npos) return std::nullopt;
  const size_t digits = at + kHashBegin.size();
  if (header.size() < digits + kHashDigits + 1 || header[digits + kHashDigits] != '"') {
    return std::nullopt;
  }
  return digits;
}

/// The hash of a header, its own digits taken as zeros.
std::string hash_of(std::string header, size_t digits) {
  header.replace(digits, kHashDigits, kHashDigits, '0');
  return hex(base::checksum(std::as_bytes(std::span(header))));
}

}  // namespace

std::string hex(uint64_t value) {
  std::string text(kHashDigits, '0');
  for (size_t i = kHashDigits; i-- > 0; value >>= 4) text[i] = "0123456789abcdef"[value & 15];
  return text;
}

std::string with_header_hash(std::string header) {
  const std::optional<size_t> digits = hash_place(header);
  RSR_CHECK(digits.has_value());
  header.replace(*digits, kHashDigits, hash_of(header, *digits));
  return header;
}

Status check_header_hash(std::string_view header, const Metadata& metadata) {
  const std::optional<size_t> digits = hash_place(header);
  if (!digits.has_value()) {
    return error(ErrorCode::corrupt_data, "\"__metadata__\" has no \"", kHeaderHashKey,
                 "\" of 16 digits");
  }
  RSR_ASSIGN_OR_RETURN(const std::string stored, text_of(metadata, kHeaderHashKey));
  const std::string computed = hash_of(std::string(header), *digits);
  if (stored == computed) return {};
  return error(ErrorCode::corrupt_data, "the header was changed: its hash is ", computed, ", \"",
               kHeaderHashKey, "\" is ", stored);
}

Result<std::string> text_of(const Metadata& metadata, const std::string& key) {
  const auto found = metadata.find(key);
  if (found == metadata.end()) {
    return error(ErrorCode::corrupt_data, "\"__metadata__\" has no \"", key, "\"");
  }
  const std::string& text = found->second;
  const auto shown = [](char c) { return c >= ' ' && c <= '~'; };
  if (text.size() > kMostText || !std::all_of(text.begin(), text.end(), shown)) {
    return error(ErrorCode::corrupt_data, "\"", key, "\" in \"__metadata__\" is no plain text");
  }
  return text;
}

}  // namespace rsr::model
