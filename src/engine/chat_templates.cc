#include "engine/chat_templates.h"

#include <array>

#include "base/check.h"
#include "text/chat_template_sources.h"

namespace rsr::engine {
namespace {

struct Named {
  std::string_view name;
  std::string_view source;
};

/// The spelling of each family that follows add_generation_prompt.
constexpr std::array<Named, 4> kTemplates = {{{"bitnet", text::kBitnetSource},
                                              {"chatml", text::kChatmlSource},
                                              {"falcon3", text::kFalcon3Source},
                                              {"llama3", text::kLlama3Source}}};

}  // namespace

std::vector<std::string> chat_template_names() {
  std::vector<std::string> names;
  names.reserve(kTemplates.size());
  for (const Named& known : kTemplates) names.emplace_back(known.name);
  return names;
}

std::string chat_template_list() {
  std::string list;
  for (const Named& known : kTemplates) {
    if (!list.empty()) list += ", ";
    list += known.name;
  }
  return list;
}

Result<std::string> named_chat_template(std::string_view name) {
  for (const Named& known : kTemplates) {
    if (known.name == name) return std::string(known.source);
  }
  return base::error(ErrorCode::invalid_argument, "chat_template is \"", name,
                     "\", must be one of ", chat_template_list());
}

}  // namespace rsr::engine
