#include "base/json.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/file.h"

namespace rsr::base {
namespace {

/// nlohmann's message quotes what it last read, all of it and as it is: here of bounded length, and
/// nothing that a terminal would take for more than text.
std::string shown(std::string message) {
  constexpr size_t kFirst = 160;
  constexpr size_t kLast = 80;
  if (message.size() > kFirst + kLast) {
    message.replace(kFirst, message.size() - kFirst - kLast, " ... ");
  }
  std::replace_if(
      message.begin(), message.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return message;
}

/// Builds a value from nlohmann's parse events, and refuses what its own builders let pass:
/// repeated keys and deep nesting. The map that the members go to knows its keys, so that no second
/// container is needed: a tokenizer.json of 19 MB takes 0.56 s, and took 1.18 s with nlohmann's
/// callback and a set of keys. With a callback, each object that ends is followed by a walk over
/// all its elder siblings, too: 44 s for 400,000 times "{}," (1.2 MB), here 0.02 s.
class Builder {
 public:
  explicit Builder(int max_depth) : max_depth_(static_cast<size_t>(max_depth)) {}

  Json& root() { return root_; }
  const std::string& refusal() const { return refusal_; }

  // The events, by nlohmann's names; false ends the parse.
  bool null() { return add(Json()); }
  bool boolean(bool value) { return add(Json(value)); }
  bool number_integer(int64_t value) { return add(Json(value)); }
  bool number_unsigned(uint64_t value) { return add(Json(value)); }
  bool number_float(double value, const std::string& /*text*/) { return add(Json(value)); }
  bool string(const std::string& value) { return add(Json(value)); }
  bool binary(const Json::binary_t& /*value*/) { return refuse("binary"); }  // not in text
  bool start_object(size_t /*size*/) { return open(Json::object()); }
  bool start_array(size_t /*size*/) { return open(Json::array()); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }

  bool key(const std::string& name) {
    if (too_deep()) return false;
    const auto [member, fresh] = open_.back()->get_ref<Json::object_t&>().try_emplace(name);
    if (!fresh) return refuse("key \"" + name + "\" is given twice");
    member_ = &member->second;
    return true;
  }

  bool parse_error(size_t /*at*/, const std::string& /*token*/, const Json::exception& error) {
    return refuse(shown(error.what()));
  }

 private:
  bool refuse(std::string reason) {
    refusal_ = std::move(reason);
    return false;
  }

  bool too_deep() {
    return open_.size() > max_depth_ && !refuse("nested deeper than " + std::to_string(max_depth_));
  }

  bool add(Json&& value) {
    if (too_deep()) return false;
    place(std::move(value));
    return true;
  }

  bool open(Json&& value) {
    if (too_deep()) return false;
    open_.push_back(place(std::move(value)));
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  /// Where the value now lies. An array does not grow while a member of it is open, so that the
  /// pointers to those stay good.
  Json* place(Json&& value) {
    Json* place = &root_;
    if (!open_.empty() && open_.back()->is_array()) {
      place = &open_.back()->emplace_back(nullptr);
    } else if (!open_.empty()) {
      place = member_;
    }
    *place = std::move(value);
    return place;
  }

  size_t max_depth_;
  Json root_;
  std::vector<Json*> open_;  ///< objects and arrays, the innermost last
  Json* member_ = nullptr;   ///< of the innermost object, its value comes next
  std::string refusal_;
};

Status wrong_type(const char* key, const char* expected, const Json& found) {
  return error(ErrorCode::corrupt_data, "\"", key, "\" must be ", expected, ", not ",
               found.type_name());
}

}  // namespace

Result<Json> parse_json(std::string_view text, const std::string& what, int max_depth) {
  Builder builder(max_depth);
  if (!Json::sax_parse(text.begin(), text.end(), &builder)) {
    return error(ErrorCode::corrupt_data, what, ": ", builder.refusal());
  }
  return std::move(builder.root());
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
