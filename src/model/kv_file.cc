#include "model/kv_file.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/checksum.h"
#include "model/checked_header.h"
#include "rsr/version.h"

namespace rsr::model {
namespace {

using base::error;
using io::Tensor;

constexpr const char* kVersionKey = "rsr.prompt_cache";
constexpr const char* kModelKey = "rsr.model";
constexpr const char* kArithmeticKey = "rsr.arithmetic";
constexpr const char* kTypeKey = "rsr.kv";
constexpr const char* kWriterKey = "rsr.writer";

Status check_version(const Metadata& metadata) {
  if (!metadata.contains(kVersionKey)) {
    return error(ErrorCode::corrupt_data, "is no prompt cache: \"__metadata__\" has no \"",
                 kVersionKey, "\"");
  }
  RSR_ASSIGN_OR_RETURN(const std::string version, text_of(metadata, kVersionKey));
  if (version == std::to_string(kKvFileVersion)) return {};
  return error(ErrorCode::unsupported, "has version ", version,
               " of the prompt cache, this rsr reads ", kKvFileVersion);
}

/// An error with both where the file says something else than what is wanted.
Status check_same(const Metadata& metadata, const char* key, const std::string& wanted,
                  const char* what) {
  RSR_ASSIGN_OR_RETURN(const std::string found, text_of(metadata, key));
  if (found == wanted) return {};
  return error(ErrorCode::invalid_argument, "is a prompt cache of another ", what, ": ", found,
               "; here it is ", wanted);
}

Status check_owner(const Metadata& metadata, const KvOwner& owner) {
  RSR_RETURN_IF_ERROR(check_same(metadata, kModelKey, owner.model, "model"));
  RSR_RETURN_IF_ERROR(
      check_same(metadata, kTypeKey, kv_type_name(owner.type), "type of keys and values (--kv)"));
  return check_same(metadata, kArithmeticKey, owner.arithmetic, "program or machine");
}

Result<Tensor> find(const io::SafetensorsFile& file, std::string_view name) {
  const auto found = file.tensors().find(name);
  if (found != file.tensors().end()) return found->second;
  return error(ErrorCode::corrupt_data, "has no tensor \"", name, "\"");
}

Status check_checksum(const Tensor& tensor, const Metadata& metadata) {
  RSR_ASSIGN_OR_RETURN(const std::string stored, text_of(metadata, kChecksumPrefix + tensor.name));
  const std::string computed = hex(base::checksum(tensor.data));
  if (stored == computed) return {};
  return error(ErrorCode::corrupt_data, "tensor \"", tensor.name,
               "\" was changed: its content has the checksum ", computed,
               ", \"__metadata__\" says ", stored);
}

}  // namespace

std::map<std::string, std::string> kv_metadata(const KvOwner& owner,
                                               const std::map<std::string, uint64_t>& checksums) {
  std::map<std::string, std::string> metadata = {{kVersionKey, std::to_string(kKvFileVersion)},
                                                 {kModelKey, owner.model},
                                                 {kArithmeticKey, owner.arithmetic},
                                                 {kTypeKey, kv_type_name(owner.type)},
                                                 {kWriterKey, std::string("rsr ") + version()},
                                                 {kHeaderHashKey, std::string(kHashDigits, '0')}};
  for (const auto& [name, checksum] : checksums) metadata[kChecksumPrefix + name] = hex(checksum);
  return metadata;
}

Result<KvFile> KvFile::open(const std::string& path, const KvOwner& owner) {
  RSR_ASSIGN_OR_RETURN(io::SafetensorsFile opened, io::SafetensorsFile::open(path));
  KvFile file(owner, std::move(opened));
  file.path_ = path;
  RSR_RETURN_IF_ERROR(file.check().with_context(path));
  return file;
}

Status KvFile::check() {
  const Metadata& metadata = file_.metadata();
  RSR_RETURN_IF_ERROR(check_version(metadata));
  RSR_RETURN_IF_ERROR(check_header_hash(file_.header(), metadata));
  RSR_RETURN_IF_ERROR(check_owner(metadata, owner_));
  RSR_RETURN_IF_ERROR(read_ids());
  parts_ = kv_parts(owner_, static_cast<int64_t>(ids_.size()));
  for (int64_t layer = 0; layer < owner_.layers; ++layer) {
    for (const KvPart& part : parts_) {
      RSR_ASSIGN_OR_RETURN(const Tensor tensor, find(file_, part.tensor_name(layer)));
      if (tensor.dtype == part.dtype && tensor.shape == part.shape) continue;
      const Tensor wanted = {{}, part.dtype, part.shape, {}};
      return error(ErrorCode::corrupt_data, "tensor \"", tensor.name, "\": is ", tensor.describe(),
                   ", must be ", wanted.describe());
    }
  }
  return {};
}

Status KvFile::read_ids() {
  RSR_ASSIGN_OR_RETURN(const Tensor tensor, find(file_, kIdsName));
  if (tensor.dtype != io::DType::i32 || tensor.shape.size() != 1 || tensor.shape[0] == 0) {
    return error(ErrorCode::corrupt_data, "tensor \"", kIdsName, "\": is ", tensor.describe(),
                 ", must be i32 [tokens]");
  }
  RSR_RETURN_IF_ERROR(check_checksum(tensor, file_.metadata()));
  ids_.resize(static_cast<size_t>(tensor.shape[0]));
  std::memcpy(ids_.data(), tensor.data.data(), tensor.data.size());
  for (const int32_t id : ids_) {
    if (id >= 0 && id < owner_.vocab) continue;
    return error(ErrorCode::corrupt_data, "tensor \"", kIdsName, "\": ", id,
                 " is no id of a vocabulary of ", owner_.vocab);
  }
  return {};
}

Status KvFile::check_layer(int64_t layer) const {
  for (const KvPart& part : parts_) {
    RSR_ASSIGN_OR_RETURN(const Tensor tensor, find(file_, part.tensor_name(layer)));
    RSR_RETURN_IF_ERROR(check_checksum(tensor, file_.metadata()));
  }
  return {};
}

void KvFile::copy_layer(int64_t layer, int64_t count, const KvCache& cache) const {
  for (const KvPart& part : parts_) {
    const std::byte* from = file_.tensors().find(part.tensor_name(layer))->second.data.data();
    const size_t head_bytes = part.bytes(static_cast<int64_t>(ids_.size()));
    for (int64_t head = 0; head < owner_.heads; ++head, from += head_bytes) {
      std::memcpy(part.place(cache.slot(layer, head, 0)), from, part.bytes(count));
    }
  }
}

Status KvFile::read(base::ThreadPool& pool, int64_t count, const KvCache& cache) const {
  RSR_CHECK(count >= 0 && count <= static_cast<int64_t>(ids_.size()));
  RSR_CHECK(count <= cache.positions() && cache.type() == owner_.type);
  std::vector<Status> found(static_cast<size_t>(owner_.layers));
  pool.parallel_for(owner_.layers, [&](base::Range range) {
    for (int64_t i = range.begin; i < range.end; ++i) {
      found[static_cast<size_t>(i)] = check_layer(i);
    }
  });
  for (const Status& status : found) RSR_RETURN_IF_ERROR(status.with_context(path_));
  pool.parallel_for(owner_.layers, [&](base::Range range) {
    for (int64_t i = range.begin; i < range.end; ++i) copy_layer(i, count, cache);
  });
  return {};
}

}  // namespace rsr::model
