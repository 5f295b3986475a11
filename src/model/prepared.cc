#include "model/prepared.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <vector>

#include "base/check.h"
#include "base/checksum.h"
#include "base/file.h"
#include "io/safetensors_writer.h"
#include "linear/weight_header.h"

namespace rsr::model {
namespace {

using base::error;
using io::Tensor;
using Strings = std::map<std::string, std::string, std::less<>>;

constexpr const char* kVersionKey = "rsr.container";
constexpr const char* kIsaKey = "rsr.isa";
constexpr const char* kFormatsKey = "rsr.formats";
constexpr const char* kWriterKey = "rsr.writer";
constexpr const char* kHashKey = "rsr.header_hash";
constexpr const char* kChecksumPrefix = "rsr.checksum.";
constexpr std::string_view kHashBegin = "\"rsr.header_hash\":\"";
constexpr size_t kHexDigits = 16;
constexpr size_t kMostText = 200;

std::span<const uint8_t> as_uint8(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()};
}

std::string hex(uint64_t value) {
  std::string text(kHexDigits, '0');
  for (size_t i = kHexDigits; i-- > 0; value >>= 4) text[i] = "0123456789abcdef"[value & 15];
  return text;
}

/// Place of the digits of the header's hash in the header, when it has them.
std::optional<size_t> hash_place(std::string_view header) {
  const size_t at = header.find(kHashBegin);
  if (at == std::string_view::npos) return std::nullopt;
  const size_t digits = at + kHashBegin.size();
  if (header.size() < digits + kHexDigits + 1 || header[digits + kHexDigits] != '"') {
    return std::nullopt;
  }
  return digits;
}

/// The hash of a header, its own digits taken as zeros.
std::string hash_of(std::string header, size_t digits) {
  header.replace(digits, kHexDigits, kHexDigits, '0');
  return hex(base::checksum(as_uint8(std::as_bytes(std::span(header)))));
}

/// A text that is short and safe to show.
Result<std::string> text_of(const Strings& metadata, const char* key) {
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

Status check_version(const Strings& metadata) {
  if (!metadata.contains(kVersionKey)) {
    return error(ErrorCode::corrupt_data, "is no prepared model: \"__metadata__\" has no \"",
                 kVersionKey, "\"");
  }
  RSR_ASSIGN_OR_RETURN(const std::string version, text_of(metadata, kVersionKey));
  if (version == std::to_string(kPreparedVersion)) return {};
  return error(ErrorCode::unsupported, "has version ", version,
               " of the container, this rsr reads ", kPreparedVersion,
               ": prepare the model again from its original directory");
}

Status check_header(std::string_view header, const Strings& metadata) {
  const std::optional<size_t> digits = hash_place(header);
  if (!digits.has_value()) {
    return error(ErrorCode::corrupt_data, "\"__metadata__\" has no \"", kHashKey,
                 "\" of 16 digits");
  }
  RSR_ASSIGN_OR_RETURN(const std::string stored, text_of(metadata, kHashKey));
  const std::string computed = hash_of(std::string(header), *digits);
  if (stored == computed) return {};
  return error(ErrorCode::corrupt_data, "the header was changed: its hash is ", computed, ", \"",
               kHashKey, "\" is ", stored);
}

Status check_checksum(const Tensor& tensor, const Strings& metadata) {
  RSR_ASSIGN_OR_RETURN(const std::string stored,
                       text_of(metadata, (kChecksumPrefix + tensor.name).c_str()));
  const std::string computed = hex(tensor_checksum(tensor.name, tensor.data));
  if (stored == computed) return {};
  return error(ErrorCode::corrupt_data, "tensor \"", tensor.name, "\" was changed: its ",
               tensor.name.ends_with(kImageSuffix) ? "header" : "content", " has the checksum ",
               computed, ", \"__metadata__\" says ", stored);
}

Status check_image(const Tensor& image, const base::MappedFile& file, const Strings& metadata) {
  if (image.dtype != io::DType::u8 || image.shape.size() != 1) {
    return error(ErrorCode::corrupt_data, "tensor \"", image.name, "\": is ", image.describe(),
                 ", an image of a weight is u8 [bytes]");
  }
  const auto at = static_cast<size_t>(image.data.data() - file.bytes().data());
  if (at % linear::kWeightPartAlignment != 0) {
    return error(ErrorCode::corrupt_data, "tensor \"", image.name, "\": begins at byte ", at,
                 " of the file, not at a multiple of ", linear::kWeightPartAlignment);
  }
  return check_checksum(image, metadata);
}

Status check_contents(const Tensor& tensor, const Strings& metadata) {
  if (tensor.name.starts_with(io::SafetensorsWriter::kPaddingPrefix)) {
    const bool zeros = std::all_of(tensor.data.begin(), tensor.data.end(),
                                   [](std::byte byte) { return byte == std::byte{0}; });
    if (zeros) return {};
    return error(ErrorCode::corrupt_data, "tensor \"", tensor.name, "\" is not all zeros");
  }
  if (!tensor.name.ends_with(kImageSuffix)) return check_checksum(tensor, metadata);
  const Status status = linear::read_header(as_uint8(tensor.data)).status();
  return status.with_context("tensor \"" + tensor.name + "\"");
}

/// All tensors on all threads; the error of the first that has one.
Status check_all_contents(const io::SafetensorsFile& file, base::ThreadPool& pool) {
  std::vector<const Tensor*> tensors;
  for (const auto& [name, tensor] : file.tensors()) tensors.push_back(&tensor);
  std::vector<Status> found(tensors.size());
  pool.parallel_for(static_cast<int64_t>(tensors.size()), [&](base::Range range) {
    for (auto i = static_cast<size_t>(range.begin); i < static_cast<size_t>(range.end); ++i) {
      found[i] = check_contents(*tensors[i], file.metadata());
    }
  });
  const auto bad =
      std::find_if(found.begin(), found.end(), [](const Status& status) { return !status.ok(); });
  return bad == found.end() ? Status() : *bad;
}

}  // namespace

bool is_prepared(const std::string& directory) {
  return base::file_exists(directory + "/" + kPreparedFile);
}

std::map<std::string, std::string> prepared_metadata(
    const PreparedInfo& info, const std::map<std::string, uint64_t>& checksums) {
  std::map<std::string, std::string> metadata = {{kVersionKey, std::to_string(kPreparedVersion)},
                                                 {kIsaKey, info.isa},
                                                 {kFormatsKey, info.formats},
                                                 {kWriterKey, info.writer},
                                                 {kHashKey, std::string(kHexDigits, '0')}};
  for (const auto& [name, checksum] : checksums) metadata[kChecksumPrefix + name] = hex(checksum);
  return metadata;
}

std::string with_header_hash(std::string header) {
  const std::optional<size_t> digits = hash_place(header);
  RSR_CHECK(digits.has_value());
  header.replace(*digits, kHexDigits, hash_of(header, *digits));
  return header;
}

uint64_t tensor_checksum(std::string_view name, std::span<const std::byte> data) {
  const bool image = name.ends_with(kImageSuffix);
  const size_t size =
      image ? std::min<size_t>(data.size(), linear::kWeightHeaderBytes) : data.size();
  return base::checksum(as_uint8(data.first(size)));
}

Result<PreparedFile> check_prepared(const io::SafetensorsFile& file, FileCheck check,
                                    base::ThreadPool& pool) {
  const Strings& metadata = file.metadata();
  RSR_RETURN_IF_ERROR(check_version(metadata));
  RSR_RETURN_IF_ERROR(check_header(file.header(), metadata));
  PreparedFile prepared;
  prepared.check = check;
  prepared.mapping = file.mapping();
  RSR_ASSIGN_OR_RETURN(prepared.info.isa, text_of(metadata, kIsaKey));
  RSR_ASSIGN_OR_RETURN(prepared.info.formats, text_of(metadata, kFormatsKey));
  RSR_ASSIGN_OR_RETURN(prepared.info.writer, text_of(metadata, kWriterKey));
  for (const auto& [name, tensor] : file.tensors()) {
    if (name.ends_with(kImageSuffix)) {
      RSR_RETURN_IF_ERROR(check_image(tensor, *file.mapping(), metadata));
    }
  }
  if (check == FileCheck::contents) RSR_RETURN_IF_ERROR(check_all_contents(file, pool));
  return prepared;
}

}  // namespace rsr::model
