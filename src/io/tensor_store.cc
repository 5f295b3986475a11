// The tensors of a model directory, in one file or in shards.
#include <set>
#include <utility>

#include "base/check.h"
#include "base/json.h"
#include "io/safetensors.h"

namespace rsr::io {
namespace {

using base::error;
using base::Json;

constexpr size_t kMaxIndexBytes = size_t{256} << 20;

/// Shards lie beside their index: a name that could lead elsewhere is refused.
bool is_plain_file_name(std::string_view name) {
  if (name.empty() || name == "." || name == "..") return false;
  return name.find_first_of(std::string_view("/\\\0", 3)) == std::string_view::npos;
}

/// Every tensor of the shards by name, with the shard that holds it.
struct ShardTensors {
  std::map<std::string, std::pair<std::string, const Tensor*>, std::less<>> by_name;

  Status add(const std::string& shard, const SafetensorsFile& file) {
    for (const auto& [name, tensor] : file.tensors()) {
      const auto [it, fresh] = by_name.try_emplace(name, shard, &tensor);
      if (!fresh) {
        return error(ErrorCode::corrupt_data, "tensor \"", name, "\" is in two shards, ",
                     it->second.first, " and ", shard);
      }
    }
    return {};
  }
};

}  // namespace

Result<std::map<std::string, std::string>> read_weight_map(const std::string& path) {
  RSR_ASSIGN_OR_RETURN(const Json index, base::read_json(path, kMaxIndexBytes));
  const Json* map = base::json_find(index, "weight_map");
  if (map == nullptr || !map->is_object()) {
    return error(ErrorCode::corrupt_data, path, ": \"weight_map\" must be an object");
  }
  std::map<std::string, std::string> result;
  for (const auto& [tensor, shard] : map->items()) {
    if (!shard.is_string()) {
      return error(ErrorCode::corrupt_data, path, ": \"weight_map\": \"", tensor,
                   "\" must be a string, not ", shard.type_name());
    }
    const auto& name = shard.get_ref<const std::string&>();
    if (!is_plain_file_name(name)) {
      return error(ErrorCode::corrupt_data, path, ": tensor \"", tensor, "\" is said to be in \"",
                   name, "\", which is not a plain file name");
    }
    result.emplace(tensor, name);
  }
  return result;
}

TensorStore TensorStore::of(const std::string& directory, SafetensorsFile file) {
  TensorStore store;
  store.directory_ = directory;
  store.tensors_ = file.tensors();
  store.files_.push_back(std::move(file));
  return store;
}

Result<TensorStore> TensorStore::open(const std::string& directory) {
  const std::string single = directory + "/model.safetensors";
  const std::string index = directory + "/model.safetensors.index.json";
  if (base::file_exists(single)) {
    RSR_ASSIGN_OR_RETURN(SafetensorsFile file, SafetensorsFile::open(single));
    return of(directory, std::move(file));
  }
  if (!base::file_exists(index)) {
    return error(ErrorCode::not_found, directory,
                 ": neither model.safetensors nor model.safetensors.index.json is there");
  }
  TensorStore store;
  store.directory_ = directory;
  const Status status = store.open_shards(index);
  if (!status.ok()) return status;
  return store;
}

Status TensorStore::open_shards(const std::string& index) {
  RSR_ASSIGN_OR_RETURN(const auto weight_map, read_weight_map(index));
  std::set<std::string> shards;
  for (const auto& [tensor, shard] : weight_map) shards.insert(shard);
  ShardTensors all;
  files_.reserve(shards.size());
  for (const std::string& shard : shards) {
    RSR_ASSIGN_OR_RETURN(SafetensorsFile file, SafetensorsFile::open(directory_ + "/" + shard));
    files_.push_back(std::move(file));
    RSR_RETURN_IF_ERROR(all.add(shard, files_.back()).with_context(directory_));
  }
  // Tensors that the index does not name are left out, as it alone says what the model is.
  for (const auto& [tensor, shard] : weight_map) {
    const auto it = all.by_name.find(tensor);
    if (it == all.by_name.end() || it->second.first != shard) {
      return error(ErrorCode::corrupt_data, index, ": tensor \"", tensor, "\" is not in ", shard);
    }
    tensors_.emplace(tensor, *it->second.second);
  }
  return {};
}

const Tensor* TensorStore::find(std::string_view name) const {
  const auto it = tensors_.find(name);
  return it == tensors_.end() ? nullptr : &it->second;
}

Result<Tensor> TensorStore::require(std::string_view name) const {
  const Tensor* tensor = find(name);
  if (tensor == nullptr) {
    return error(ErrorCode::not_found, directory_, ": no tensor \"", name, "\"");
  }
  return *tensor;
}

}  // namespace rsr::io
