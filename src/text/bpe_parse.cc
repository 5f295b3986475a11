// The member "model" of tokenizer.json.
#include <string_view>

#include "base/check.h"
#include "text/bpe.h"

namespace rsr::text {
namespace {

using base::error;
using base::Json;

/// Ids index tables, so a wild one must not make them huge.
constexpr int64_t kMaxId = (int64_t{1} << 24) - 1;

/// The two tokens of a merge: ["a", "b"], or "a b" in older files.
bool split_merge(const Json& json, std::string_view* left, std::string_view* right) {
  if (json.is_array() && json.size() == 2 && json[0].is_string() && json[1].is_string()) {
    *left = json[0].get_ref<const std::string&>();
    *right = json[1].get_ref<const std::string&>();
    return true;
  }
  if (!json.is_string()) return false;
  const std::string_view line = json.get_ref<const std::string&>();
  const size_t space = line.find(' ');
  if (space == std::string_view::npos || line.find(' ', space + 1) != std::string_view::npos) {
    return false;
  }
  *left = line.substr(0, space);
  *right = line.substr(space + 1);
  return true;
}

bool is_comment(const Json& json) {
  return json.is_string() && json.get_ref<const std::string&>().starts_with("#version");
}

Status refuse_affix(const Json& json, const char* key) {
  RSR_ASSIGN_OR_RETURN(const std::string affix, base::json_string(json, key, ""));
  if (affix.empty()) return {};
  return error(ErrorCode::unsupported, "\"", key, "\" is \"", affix, "\", only \"\" is supported");
}

}  // namespace

Result<Bpe> Bpe::parse(const Json& json) {
  if (!json.is_object()) return error(ErrorCode::corrupt_data, "must be an object");
  // Old files give no type; what has merges is BPE.
  const bool has_merges = base::json_find(json, "merges") != nullptr;
  RSR_ASSIGN_OR_RETURN(const std::string type,
                       base::json_string(json, "type", has_merges ? "BPE" : ""));
  if (type != "BPE") return error(ErrorCode::unsupported, "unknown model \"", type, "\"");
  Bpe bpe;
  RSR_RETURN_IF_ERROR(bpe.read_vocabulary(json));
  RSR_RETURN_IF_ERROR(bpe.read_merges(json));
  RSR_RETURN_IF_ERROR(bpe.read_options(json));
  return bpe;
}

Status Bpe::read_vocabulary(const Json& json) {
  const Json* vocab = base::json_find(json, "vocab");
  if (vocab == nullptr || !vocab->is_object()) {
    return error(ErrorCode::corrupt_data, "\"vocab\" must be an object");
  }
  vocabulary_.reserve(vocab->size());
  for (const auto& [token, id] : vocab->items()) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() > uint64_t{kMaxId}) {
      return error(ErrorCode::corrupt_data, "\"vocab\": \"", token, "\" has id ",
                   id.dump().substr(0, 40), ", ids are 0 to ", kMaxId);
    }
    vocabulary_.emplace(token, static_cast<int32_t>(id.get<uint64_t>()));
  }
  return {};
}

Status Bpe::read_merges(const Json& json) {
  const Json* merges = base::json_find(json, "merges");
  if (merges == nullptr || !merges->is_array()) {
    return error(ErrorCode::corrupt_data, "\"merges\" must be an array");
  }
  merges_.reserve(merges->size());
  for (const Json& entry : *merges) {
    if (is_comment(entry)) continue;
    std::string_view left;
    std::string_view right;
    if (!split_merge(entry, &left, &right)) {
      return error(ErrorCode::corrupt_data, "merge ", merge_count_, ": ",
                   entry.dump().substr(0, 80), ", expected two tokens");
    }
    RSR_RETURN_IF_ERROR(add_merge(left, right));
  }
  return {};
}

Status Bpe::add_merge(std::string_view left, std::string_view right) {
  std::string merged;
  merged.reserve(left.size() + right.size());
  merged.append(left).append(right);
  const std::string_view parts[] = {left, right, merged};
  int32_t ids[3] = {};
  for (int i = 0; i < 3; ++i) {
    const auto id = find(parts[i]);
    if (!id) {
      return error(ErrorCode::corrupt_data, "merge ", merge_count_, " (\"", left, "\" + \"", right,
                   "\"): \"", parts[i], "\" is not in the vocabulary");
    }
    ids[i] = *id;
  }
  // Of a pair that is given twice the later rank counts, as in the reference.
  merges_[pair_key(ids[0], ids[1])] = {merge_count_++, ids[2]};
  return {};
}

Status Bpe::read_options(const Json& json) {
  if (const Json* dropout = base::json_find(json, "dropout")) {
    if (!dropout->is_number() || dropout->get<double>() != 0.0) {
      return error(ErrorCode::unsupported, "\"dropout\" is ", dropout->dump().substr(0, 40),
                   ", only null is supported");
    }
  }
  RSR_RETURN_IF_ERROR(refuse_affix(json, "continuing_subword_prefix"));
  RSR_RETURN_IF_ERROR(refuse_affix(json, "end_of_word_suffix"));
  RSR_ASSIGN_OR_RETURN(ignore_merges_, base::json_bool(json, "ignore_merges", false));
  RSR_ASSIGN_OR_RETURN(byte_fallback_, base::json_bool(json, "byte_fallback", false));
  RSR_ASSIGN_OR_RETURN(fuse_unk_, base::json_bool(json, "fuse_unk", false));
  const Json* unk = base::json_find(json, "unk_token");
  if (unk == nullptr) return {};
  RSR_ASSIGN_OR_RETURN(const std::string name, base::json_require_string(json, "unk_token"));
  unk_ = find(name);
  if (!unk_) {
    return error(ErrorCode::corrupt_data, "\"unk_token\" \"", name, "\" is not in the vocabulary");
  }
  return {};
}

}  // namespace rsr::text
