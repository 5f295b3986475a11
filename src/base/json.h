// JSON from untrusted files, through nlohmann::json, with limits and errors as values.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "rsr/status.h"

namespace rsr::base {

using Json = nlohmann::json;

inline constexpr int kJsonMaxDepth = 64;

/// Parses UTF-8 text. Errors: not JSON, invalid UTF-8, a key given twice in one object, nesting
/// deeper than `max_depth`. `what` names the text in messages (a file name).
Result<Json> parse_json(std::string_view text, const std::string& what,
                        int max_depth = kJsonMaxDepth);

/// Reads a JSON file of at most `limit` bytes.
Result<Json> read_json(const std::string& path, size_t limit);

/// Typed members of an object. A missing or null member gives `fallback`; one of another type is an
/// error that names the key. `json_require_*` refuse a missing member too.
Result<int64_t> json_int(const Json& object, const char* key, int64_t fallback);
Result<double> json_number(const Json& object, const char* key, double fallback);
Result<bool> json_bool(const Json& object, const char* key, bool fallback);
Result<std::string> json_string(const Json& object, const char* key, std::string_view fallback);
Result<int64_t> json_require_int(const Json& object, const char* key);
Result<std::string> json_require_string(const Json& object, const char* key);

/// The member, or nullptr when it is missing, null, or `object` is not an object.
const Json* json_find(const Json& object, const char* key);

}  // namespace rsr::base
