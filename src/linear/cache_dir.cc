#include "linear/cache_dir.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "base/check.h"

namespace rsr::linear {
namespace {

Status system_error(const std::string& path, int number) {
  return base::error(ErrorCode::io_error, path, ": ", std::strerror(number));
}

bool write_all(int file, const std::string& text) {
  for (size_t done = 0; done < text.size();) {
    const ssize_t n = ::write(file, text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    done += static_cast<size_t>(n);
  }
  return true;
}

}  // namespace

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
  const std::string path = folder + "/" + name;
  std::string temporary = path + ".XXXXXX";
  const int file = ::mkstemp(temporary.data());
  if (file < 0) return system_error(temporary, errno);
  bool written = write_all(file, text);
  int number = errno;
  if (::close(file) != 0 && written) {
    written = false;
    number = errno;
  }
  if (written && std::rename(temporary.c_str(), path.c_str()) != 0) {
    written = false;
    number = errno;
  }
  if (written) return {};
  ::unlink(temporary.c_str());
  return system_error(path, number);
}

}  // namespace rsr::linear
