// Where Hugging Face's programs look: the same variables, the same folders.
#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "base/file.h"
#include "io/hub/hub.h"

namespace rsr::io {
namespace {

constexpr size_t kMaxTokenBytes = 4096;

/// Empty when it is not set.
std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// A path that people write with "~/" in files that no shell reads.
std::string with_home(const std::string& path) {
  return path.starts_with("~/") ? variable("HOME") + path.substr(1) : path;
}

std::string trimmed(std::string text) {
  const auto space = [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; };
  text.erase(text.begin(), std::find_if_not(text.begin(), text.end(), space));
  text.erase(std::find_if_not(text.rbegin(), text.rend(), space).base(), text.end());
  return text;
}

/// Empty when there is none: no HF_HOME, no XDG_CACHE_HOME, no HOME.
std::string home_folder() {
  if (const std::string home = variable("HF_HOME"); !home.empty()) return with_home(home);
  if (const std::string xdg = variable("XDG_CACHE_HOME"); !xdg.empty()) {
    return with_home(xdg) + "/huggingface";
  }
  const std::string home = variable("HOME");
  return home.empty() ? "" : home + "/.cache/huggingface";
}

/// A token that cannot be read is as none: the server says when one is needed.
std::string token(const std::string& home) {
  if (std::string given = trimmed(variable("HF_TOKEN")); !given.empty()) return given;
  std::string path = with_home(variable("HF_TOKEN_PATH"));
  if (path.empty() && !home.empty()) path = home + "/token";
  if (path.empty()) return "";
  const Result<std::string> content = base::read_file(path, kMaxTokenBytes);
  return content.ok() ? trimmed(*content) : "";
}

bool is_true(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text == "1" || text == "ON" || text == "YES" || text == "TRUE";
}

}  // namespace

HubOptions hub_options_from_environment() {
  HubOptions options;
  if (const std::string endpoint = trimmed(variable("HF_ENDPOINT")); !endpoint.empty()) {
    options.endpoint = endpoint;
  }
  while (options.endpoint.ends_with('/')) options.endpoint.pop_back();
  const std::string home = home_folder();
  options.token = token(home);
  options.cache = with_home(variable("HF_HUB_CACHE"));
  if (options.cache.empty() && !home.empty()) options.cache = home + "/hub";
  options.offline = is_true(variable("HF_HUB_OFFLINE"));
  return options;
}

}  // namespace rsr::io
