#include "text/post_processor.h"

#include <string>

#include "base/check.h"

namespace rsr::text {
namespace {

using base::error;
using base::Json;

/// Of each text; a template that repeats a token of many ids could ask for any number.
constexpr size_t kMaxIds = 4096;

/// The ids of a special token of a template.
Status append_ids(const Json& json, const std::string& name, std::vector<int32_t>* out) {
  const Json* tokens = base::json_find(json, "special_tokens");
  const Json* token = tokens == nullptr ? nullptr : base::json_find(*tokens, name.c_str());
  const Json* ids = token == nullptr ? nullptr : base::json_find(*token, "ids");
  if (ids == nullptr || !ids->is_array()) {
    return error(ErrorCode::corrupt_data, "TemplateProcessing: no ids for \"", name, "\"");
  }
  for (const Json& id : *ids) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() > uint64_t{INT32_MAX}) {
      return error(ErrorCode::corrupt_data, "TemplateProcessing: \"", name, "\" has id ",
                   id.dump().substr(0, 40));
    }
    if (out->size() == kMaxIds) {
      return error(ErrorCode::limit_exceeded, "TemplateProcessing: more than ", kMaxIds, " ids");
    }
    out->push_back(static_cast<int32_t>(id.get<uint64_t>()));
  }
  return {};
}

Result<PostProcessor> parse_template(const Json& json) {
  const Json* single = base::json_find(json, "single");
  if (single == nullptr || !single->is_array()) {
    return error(ErrorCode::corrupt_data, "TemplateProcessing: \"single\" must be an array");
  }
  PostProcessor result;
  bool text_seen = false;
  for (const Json& item : *single) {
    const Json* special = base::json_find(item, "SpecialToken");
    const Json* sequence = base::json_find(item, "Sequence");
    if (special != nullptr) {
      RSR_ASSIGN_OR_RETURN(const std::string name, base::json_require_string(*special, "id"));
      RSR_RETURN_IF_ERROR(append_ids(json, name, text_seen ? &result.after : &result.before));
    } else if (sequence != nullptr && !text_seen) {
      text_seen = true;
    } else {
      return error(ErrorCode::unsupported, "TemplateProcessing: item ", item.dump().substr(0, 80));
    }
  }
  if (!text_seen) {
    return error(ErrorCode::unsupported, "TemplateProcessing: \"single\" leaves the text out");
  }
  return result;
}

Result<PostProcessor> parse_sequence(const Json& json) {
  const Json* list = base::json_find(json, "processors");
  if (list == nullptr || !list->is_array()) {
    return error(ErrorCode::corrupt_data, "\"processors\" must be an array");
  }
  PostProcessor result;
  for (const Json& member : *list) {
    RSR_ASSIGN_OR_RETURN(const PostProcessor part, parse_post_processor(member));
    // Each one works on what the one before it gave.
    result.before.insert(result.before.begin(), part.before.begin(), part.before.end());
    result.after.insert(result.after.end(), part.after.begin(), part.after.end());
  }
  return result;
}

}  // namespace

Result<PostProcessor> parse_post_processor(const Json& json) {
  if (json.is_null()) return PostProcessor();
  RSR_ASSIGN_OR_RETURN(const std::string type, base::json_require_string(json, "type"));
  if (type == "ByteLevel") return PostProcessor();  // moves offsets only
  if (type == "TemplateProcessing") return parse_template(json);
  if (type == "Sequence") return parse_sequence(json);
  return error(ErrorCode::unsupported, "unknown post_processor \"", type, "\"");
}

}  // namespace rsr::text
