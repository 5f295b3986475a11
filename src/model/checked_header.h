// Safetensors files that know when they were changed: their "__metadata__" holds a hash of the
// header, and the header holds the checksums of the tensors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "rsr/status.h"

namespace rsr::model {

using Metadata = std::map<std::string, std::string, std::less<>>;

/// Key of the hash, 16 hexadecimal digits. It is computed with zeros in their place.
inline constexpr const char* kHeaderHashKey = "rsr.header_hash";
inline constexpr size_t kHashDigits = 16;
/// What stands before a tensor's name in the key of its checksum.
inline constexpr const char* kChecksumPrefix = "rsr.checksum.";

/// 16 hexadecimal digits.
std::string hex(uint64_t value);

/// The header with its hash filled in, where its metadata have zeros under kHeaderHashKey.
std::string with_header_hash(std::string header);

/// An error when the header does not fit the hash in it.
Status check_header_hash(std::string_view header, const Metadata& metadata);

/// A value of the metadata that is short and safe to show; an error that names the key.
Result<std::string> text_of(const Metadata& metadata, const std::string& key);

}  // namespace rsr::model
