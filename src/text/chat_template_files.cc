// Where a model directory keeps its chat template.
#include <utility>

#include "base/check.h"
#include "base/file.h"
#include "base/json.h"
#include "text/chat_template.h"

namespace rsr::text {
namespace {

using base::error;
using base::Json;

constexpr size_t kMaxTemplateBytes = size_t{1} << 20;
constexpr size_t kMaxConfigBytes = size_t{64} << 20;

/// tokenizer_config.json, or an empty object when there is none.
Result<Json> read_config(const std::string& path) {
  if (!base::file_exists(path)) return Json::object();
  return base::read_json(path, kMaxConfigBytes);
}

/// The template of a list of {"name", "template"} that is called "default".
Result<std::string> default_template(const Json& list) {
  for (const Json& entry : list) {
    RSR_ASSIGN_OR_RETURN(const std::string name, base::json_require_string(entry, "name"));
    if (name == "default") return base::json_require_string(entry, "template");
  }
  return error(ErrorCode::unsupported, "\"chat_template\": none of ", list.size(),
               " templates is named \"default\"");
}

/// A token is a string, or an object with its "content".
Result<std::string> token_content(const Json& config, const char* key) {
  const Json* token = base::json_find(config, key);
  if (token != nullptr && token->is_object()) return base::json_require_string(*token, "content");
  return base::json_string(config, key, "");
}

}  // namespace

Result<std::string> find_chat_template(const std::string& directory) {
  const std::string jinja = directory + "/chat_template.jinja";
  if (base::file_exists(jinja)) return base::read_file(jinja, kMaxTemplateBytes);
  const std::string path = directory + "/tokenizer_config.json";
  RSR_ASSIGN_OR_RETURN(const Json config, read_config(path));
  const Json* value = base::json_find(config, "chat_template");
  Result<std::string> source = value != nullptr && value->is_array()
                                   ? default_template(*value)
                                   : base::json_string(config, "chat_template", "");
  if (!source.ok()) return source.status().with_context(path);
  return source;
}

Result<TemplateTokens> find_template_tokens(const std::string& directory) {
  const std::string path = directory + "/tokenizer_config.json";
  RSR_ASSIGN_OR_RETURN(const Json config, read_config(path));
  Result<std::string> bos = token_content(config, "bos_token");
  if (!bos.ok()) return bos.status().with_context(path);
  Result<std::string> eos = token_content(config, "eos_token");
  if (!eos.ok()) return eos.status().with_context(path);
  return TemplateTokens{std::move(bos).value(), std::move(eos).value()};
}

}  // namespace rsr::text
