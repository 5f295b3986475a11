#include "io/safetensors.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/check.h"
#include "base/json.h"
#include "io/header.h"

namespace rsr::io {
namespace {

using base::error;
using base::Json;

using Tensors = std::map<std::string, Tensor, std::less<>>;
using Strings = std::map<std::string, std::string, std::less<>>;

constexpr size_t kLengthBytes = 8;

/// A tensor of the header with the place that it claims.
struct Entry {
  Tensor tensor;
  uint64_t begin = 0;
  uint64_t end = 0;
};

Status bad_tensor(const std::string& name, const std::string& problem) {
  return error(ErrorCode::corrupt_data, "tensor \"", name, "\": ", problem);
}

Status read_shape(const Json& info, Tensor* tensor) {
  const Json* shape = base::json_find(info, "shape");
  if (shape == nullptr || !shape->is_array()) {
    return bad_tensor(tensor->name, "\"shape\" must be an array of integers");
  }
  if (shape->size() > kMaxRank) {
    return error(ErrorCode::limit_exceeded, "tensor \"", tensor->name, "\": rank ", shape->size(),
                 ", at most ", kMaxRank, " is accepted");
  }
  for (const Json& extent : *shape) {
    if (!extent.is_number_unsigned() ||
        extent.get<uint64_t>() > uint64_t{std::numeric_limits<int64_t>::max()}) {
      return bad_tensor(tensor->name, "bad extent in \"shape\": " + extent.dump());
    }
    tensor->shape.push_back(static_cast<int64_t>(extent.get<uint64_t>()));
  }
  return {};
}

Status read_offsets(const Json& info, Entry* entry) {
  const Json* offsets = base::json_find(info, "data_offsets");
  const bool two_integers = offsets != nullptr && offsets->is_array() && offsets->size() == 2 &&
                            (*offsets)[0].is_number_unsigned() &&
                            (*offsets)[1].is_number_unsigned();
  if (!two_integers) {
    return bad_tensor(entry->tensor.name,
                      "\"data_offsets\" must be two integers that are not negative");
  }
  entry->begin = (*offsets)[0].get<uint64_t>();
  entry->end = (*offsets)[1].get<uint64_t>();
  if (entry->end < entry->begin) {
    return bad_tensor(entry->tensor.name,
                      "\"data_offsets\" end before they begin: " + offsets->dump());
  }
  return {};
}

/// Bytes of a tensor of this shape and element size.
Result<uint64_t> byte_size(const Tensor& tensor, unsigned bits) {
  uint64_t total = 1;
  bool overflow = false;
  for (const int64_t extent : tensor.shape) {
    overflow |= __builtin_mul_overflow(total, static_cast<uint64_t>(extent), &total);
  }
  overflow |= __builtin_mul_overflow(total, uint64_t{bits}, &total);
  if (overflow) {
    return bad_tensor(tensor.name, "its size overflows: " + tensor.describe());
  }
  if (total % 8 != 0) {
    return bad_tensor(tensor.name, tensor.describe() + " does not fill whole bytes");
  }
  return total / 8;
}

Result<Entry> read_entry(const std::string& name, const Json& info) {
  Entry entry;
  entry.tensor.name = name;
  if (name.size() > kMaxNameBytes) {
    return error(ErrorCode::limit_exceeded, "tensor name of ", name.size(), " bytes, at most ",
                 kMaxNameBytes, " are accepted: \"", name.substr(0, 60), "...\"");
  }
  if (!info.is_object()) {
    return bad_tensor(name, std::string("must be an object, not ") + info.type_name());
  }
  const Json* dtype = base::json_find(info, "dtype");
  if (dtype == nullptr || !dtype->is_string()) {
    return bad_tensor(name, "\"dtype\" must be a string");
  }
  const DTypeInfo* known = find_dtype(dtype->get_ref<const std::string&>());
  if (known == nullptr) return bad_tensor(name, "unknown dtype " + dtype->dump());
  entry.tensor.dtype = known->dtype;
  RSR_RETURN_IF_ERROR(read_shape(info, &entry.tensor));
  RSR_RETURN_IF_ERROR(read_offsets(info, &entry));
  RSR_ASSIGN_OR_RETURN(const uint64_t expected, byte_size(entry.tensor, known->bits));
  if (entry.end - entry.begin != expected) {
    return error(ErrorCode::corrupt_data, "tensor \"", name, "\": ", entry.tensor.describe(),
                 " takes ", expected, " bytes, its data_offsets give ", entry.end - entry.begin);
  }
  return entry;
}

Status read_metadata(const Json& object, Strings* metadata) {
  if (!object.is_object()) {
    return error(ErrorCode::corrupt_data, "\"__metadata__\" must be an object, not ",
                 object.type_name());
  }
  for (const auto& [key, value] : object.items()) {
    if (!value.is_string()) {
      return error(ErrorCode::corrupt_data, "\"__metadata__\": \"", key,
                   "\" must be a string, not ", value.type_name());
    }
    if (metadata != nullptr) (*metadata)[key] = value.get<std::string>();
  }
  return {};
}

/// Checks that the entries fill the buffer without holes, overlaps or a tail, and gives each its
/// bytes.
Result<Tensors> place(std::vector<Entry> entries, std::span<const std::byte> data) {
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  uint64_t previous = 0;
  Tensors tensors;
  for (Entry& entry : entries) {
    if (entry.begin != previous) {
      return error(ErrorCode::corrupt_data, "tensor \"", entry.tensor.name, "\" begins at byte ",
                   entry.begin, ", the data before it ends at ", previous,
                   entry.begin < previous ? " (overlap)" : " (hole)");
    }
    if (entry.end > data.size()) {
      return error(ErrorCode::corrupt_data, "tensor \"", entry.tensor.name, "\" ends at byte ",
                   entry.end, ", the file holds ", data.size(), " bytes of data (truncated?)");
    }
    previous = entry.end;
    entry.tensor.data = data.subspan(entry.begin, entry.end - entry.begin);
    std::string name = entry.tensor.name;
    tensors.emplace(std::move(name), std::move(entry.tensor));
  }
  if (previous != data.size()) {
    return error(ErrorCode::corrupt_data, data.size() - previous,
                 " bytes follow the last tensor, which ends at byte ", previous);
  }
  return tensors;
}

/// The length that the first 8 bytes give, checked against the file.
Result<size_t> header_length(std::span<const std::byte> bytes) {
  if (bytes.size() < kLengthBytes) {
    return error(ErrorCode::corrupt_data, "the file has ", bytes.size(),
                 " bytes, a header length needs 8");
  }
  uint64_t length = 0;
  for (size_t i = 0; i < kLengthBytes; ++i) {
    length |= std::to_integer<uint64_t>(bytes[i]) << (8 * i);
  }
  if (length > kMaxHeaderBytes) {
    return error(ErrorCode::corrupt_data, "header of ", length, " bytes, at most ", kMaxHeaderBytes,
                 " are accepted");
  }
  if (length > bytes.size() - kLengthBytes) {
    return error(ErrorCode::corrupt_data, "header of ", length, " bytes in a file of ",
                 bytes.size(), " bytes (truncated?)");
  }
  return static_cast<size_t>(length);
}

}  // namespace

Result<Tensors> parse_safetensors_header(std::string_view header, std::span<const std::byte> data,
                                         Strings* metadata) {
  if (header.empty() || header.front() != '{') {
    return error(ErrorCode::corrupt_data, "the header does not begin with '{'");
  }
  RSR_ASSIGN_OR_RETURN(const Json json, base::parse_json(header, "header", kMaxHeaderDepth));
  if (json.size() > kMaxTensors) {
    return error(ErrorCode::limit_exceeded, json.size(), " tensors, at most ", kMaxTensors,
                 " are accepted");
  }
  std::vector<Entry> entries;
  entries.reserve(json.size());
  for (const auto& [name, info] : json.items()) {
    if (name == "__metadata__") {
      RSR_RETURN_IF_ERROR(read_metadata(info, metadata));
      continue;
    }
    RSR_ASSIGN_OR_RETURN(Entry entry, read_entry(name, info));
    entries.push_back(std::move(entry));
  }
  return place(std::move(entries), data);
}

Result<SafetensorsFile> SafetensorsFile::open(const std::string& path) {
  RSR_ASSIGN_OR_RETURN(base::MappedFile mapped, base::MappedFile::open(path));
  const std::span<const std::byte> bytes = mapped.bytes();
  const Result<size_t> length = header_length(bytes);
  if (!length.ok()) return length.status().with_context(path);
  const std::string_view header(reinterpret_cast<const char*>(bytes.data()) + kLengthBytes,
                                *length);
  SafetensorsFile file(std::move(mapped));
  file.header_ = header;
  Result<Tensors> tensors =
      parse_safetensors_header(header, bytes.subspan(kLengthBytes + *length), &file.metadata_);
  if (!tensors.ok()) return tensors.status().with_context(path);
  file.tensors_ = std::move(tensors).value();
  return file;
}

}  // namespace rsr::io
