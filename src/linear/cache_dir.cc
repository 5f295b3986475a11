#include "linear/cache_dir.h"

#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "base/check.h"
#include "base/file.h"

namespace rsr::linear {
std::optional<std::string> cache_dir() {
  if (const char* ours = std::getenv("RSR_CACHE_DIR"); ours != nullptr) {
    if (*ours == '\0') return std::nullopt;
    return ours;
  }
  if (const char* xdg = std::getenv("XDG_CACHE_HOME"); xdg != nullptr && *xdg == '/') {
    return std::string(xdg) + "/rsr";
  }
  if (const char* home = std::getenv("HOME"); home != nullptr && *home == '/') {
    return std::string(home) + "/.cache/rsr";
  }
  return std::nullopt;
}

Status write_cache_file(const std::string& folder, const std::string& name,
                        const std::string& text) {
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed) return base::error(ErrorCode::io_error, folder, ": ", failed.message());
  return base::replace_file(folder + "/" + name, text);
}

}  // namespace rsr::linear
