// Which chat template a model speaks: its own, or a known one chosen by name.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "rsr/status.h"

namespace rsr::engine {

/// Names of the templates that can be chosen, in alphabetical order.
std::vector<std::string> chat_template_names();

/// "bitnet, chatml, ...", for messages.
std::string chat_template_list();

/// Jinja source of the named template; an unknown name is an error that lists the known ones.
Result<std::string> named_chat_template(std::string_view name);

}  // namespace rsr::engine
