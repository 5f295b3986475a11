// The folder for what can be found out again: small files that save work the next time.
#pragma once

#include <optional>
#include <string>

#include "rsr/status.h"

namespace rsr::linear {

/// $RSR_CACHE_DIR (empty: none, nothing is kept), else $XDG_CACHE_HOME/rsr when that is absolute,
/// else $HOME/.cache/rsr. It need not exist.
std::optional<std::string> cache_dir();

/// Writes a file of that name into the folder, which is made when it is missing. The text goes to a
/// temporary name first, so that a reader finds the old file or the new one and never half of one.
Status write_cache_file(const std::string& folder, const std::string& name,
                        const std::string& text);

}  // namespace rsr::linear
