#include "io/model_source.h"

#include <filesystem>
#include <system_error>

#include "base/check.h"

namespace rsr::io {

Result<std::string> find_model_directory(const std::string& source) {
  namespace fs = std::filesystem;
  std::error_code failed;
  const fs::file_status status = fs::status(source, failed);
  if (fs::is_directory(status)) return source;
  if (fs::exists(status)) {
    return base::error(ErrorCode::invalid_argument, source, ": is no directory; a model is named ",
                       "by the directory of its config.json");
  }
  const bool missing = status.type() == fs::file_type::not_found;
  return base::error(missing ? ErrorCode::not_found : ErrorCode::io_error, source, ": ",
                     missing ? "no such directory" : failed.message());
}

}  // namespace rsr::io
