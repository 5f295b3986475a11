#include "base/json.h"

#include <cmath>
#include <set>
#include <vector>

#include "base/check.h"
#include "base/file.h"

namespace rsr::base {
namespace {

/// Thrown through nlohmann's parser, and caught in parse_json: its callback has no other way to
/// stop.
struct Refused {
  std::string reason;
};

/// Watches a parse for what nlohmann::json lets pass: repeated keys and deep nesting.
class Watcher {
 public:
  explicit Watcher(int max_depth) : max_depth_(max_depth) {}

  void see(int depth, Json::parse_event_t event, const Json& value) {
    if (depth > max_depth_) throw Refused{"nested deeper than " + std::to_string(max_depth_)};
    if (event == Json::parse_event_t::object_start) keys_.emplace_back();
    if (event == Json::parse_event_t::object_end) keys_.pop_back();
    if (event == Json::parse_event_t::key) {
      const auto& key = value.get_ref<const std::string&>();
      if (!keys_.back().insert(key).second) throw Refused{"key \"" + key + "\" is given twice"};
    }
  }

 private:
  int max_depth_;
  std::vector<std::set<std::string>> keys_;
};

Status wrong_type(const char* key, const char* expected, const Json& found) {
  return error(ErrorCode::corrupt_data, "\"", key, "\" must be ", expected, ", not ",
               found.type_name());
}

}  // namespace

Result<Json> parse_json(std::string_view text, const std::string& what, int max_depth) {
  Watcher watcher(max_depth);
  try {
    return Json::parse(text.begin(), text.end(), [&](int depth, auto event, Json& value) {
      watcher.see(depth, event, value);
      return true;
    });
  } catch (const Refused& refused) {
    return error(ErrorCode::corrupt_data, what, ": ", refused.reason);
  } catch (const Json::exception& e) {
    return error(ErrorCode::corrupt_data, what, ": ", e.what());
  }
}

Result<Json> read_json(const std::string& path, size_t limit) {
  RSR_ASSIGN_OR_RETURN(const std::string text, read_file(path, limit));
  return parse_json(text, path);
}

const Json* json_find(const Json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto it = object.find(key);
  return it == object.end() || it->is_null() ? nullptr : &*it;
}

Result<int64_t> json_int(const Json& object, const char* key, int64_t fallback) {
  const Json* value = json_find(object, key);
  if (value == nullptr) return fallback;
  if (!value->is_number_integer()) return wrong_type(key, "an integer", *value);
  if (value->is_number_unsigned() && value->get<uint64_t>() > uint64_t{INT64_MAX}) {
    return error(ErrorCode::corrupt_data, "\"", key, "\" is too large: ", value->dump());
  }
  return value->get<int64_t>();
}

Result<double> json_number(const Json& object, const char* key, double fallback) {
  const Json* value = json_find(object, key);
  if (value == nullptr) return fallback;
  if (!value->is_number()) return wrong_type(key, "a number", *value);
  return value->get<double>();
}

Result<bool> json_bool(const Json& object, const char* key, bool fallback) {
  const Json* value = json_find(object, key);
  if (value == nullptr) return fallback;
  if (!value->is_boolean()) return wrong_type(key, "true or false", *value);
  return value->get<bool>();
}

Result<std::string> json_string(const Json& object, const char* key, std::string_view fallback) {
  const Json* value = json_find(object, key);
  if (value == nullptr) return std::string(fallback);
  if (!value->is_string()) return wrong_type(key, "a string", *value);
  return value->get<std::string>();
}

Result<int64_t> json_require_int(const Json& object, const char* key) {
  if (json_find(object, key) == nullptr) {
    return error(ErrorCode::corrupt_data, "\"", key, "\" is missing");
  }
  return json_int(object, key, 0);
}

Result<std::string> json_require_string(const Json& object, const char* key) {
  if (json_find(object, key) == nullptr) {
    return error(ErrorCode::corrupt_data, "\"", key, "\" is missing");
  }
  return json_string(object, key, "");
}

}  // namespace rsr::base
