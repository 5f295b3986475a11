// The checksums of the hub's files.
#pragma once

#include <string>

#include "io/hub/keep_going.h"
#include "rsr/status.h"

namespace rsr::io {

enum class DigestKind {
  sha256,  ///< of the content
  git      ///< SHA-1 of "blob SIZE", a zero byte and the content: what git calls the file by
};

/// The digest of a file in hexadecimal, empty when it was cancelled.
Result<std::string> file_digest(const std::string& path, DigestKind kind,
                                const KeepGoing& keep_going);

}  // namespace rsr::io
