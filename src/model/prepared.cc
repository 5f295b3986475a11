#include "model/prepared.h"

#include <algorithm>
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

constexpr const char* kVersionKey = "rsr.container";
constexpr const char* kIsaKey = "rsr.isa";
constexpr const char* kFormatsKey = "rsr.formats";
constexpr const char* kWriterKey = "rsr.writer";

std::span<const uint8_t> as_uint8(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()};
}

Status check_version(const Metadata& metadata) {
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

Status check_checksum(const Tensor& tensor, const Metadata& metadata) {
  RSR_ASSIGN_OR_RETURN(const std::string stored, text_of(metadata, kChecksumPrefix + tensor.name));
  const std::string computed = hex(tensor_checksum(tensor.name, tensor.data));
  if (stored == computed) return {};
  return error(ErrorCode::corrupt_data, "tensor \"", tensor.name, "\" was changed: its ",
               tensor.name.ends_with(kImageSuffix) ? "header" : "content", " has the checksum ",
               computed, ", \"__metadata__\" says ", stored);
}

Status check_image(const Tensor& image, const base::MappedFile& file, const Metadata& metadata) {
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

Status check_contents(const Tensor& tensor, const Metadata& metadata) {
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
                                                 {kHeaderHashKey, std::string(kHashDigits, '0')}};
  for (const auto& [name, checksum] : checksums) metadata[kChecksumPrefix + name] = hex(checksum);
  return metadata;
}

uint64_t tensor_checksum(std::string_view name, std::span<const std::byte> data) {
  const bool image = name.ends_with(kImageSuffix);
  const size_t size =
      image ? std::min<size_t>(data.size(), linear::kWeightHeaderBytes) : data.size();
  return base::checksum(data.first(size));
}

Result<PreparedFile> check_prepared(const io::SafetensorsFile& file, FileCheck check,
                                    base::ThreadPool& pool) {
  const Metadata& metadata = file.metadata();
  RSR_RETURN_IF_ERROR(check_version(metadata));
  RSR_RETURN_IF_ERROR(check_header_hash(file.header(), metadata));
  PreparedFile prepared;
  prepared.check = check;
  prepared.mapping = file.mapping();
  RSR_ASSIGN_OR_RETURN(prepared.header_hash, text_of(metadata, kHeaderHashKey));
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
