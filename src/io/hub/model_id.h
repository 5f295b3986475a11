// Names that come from a user or a server, and become paths and URLs: what is let through.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace rsr::io {

struct ModelId {
  std::string name;               ///< "org/name"
  std::string revision = "main";  ///< branch, tag or commit
};

/// "org/name" or "org/name@revision" by the hub's own rules; nothing where it is neither, such as
/// any path that leads out of a folder.
std::optional<ModelId> parse_model_id(std::string_view text);

/// A relative path that stays below its folder: parts between single slashes, none of them "." or
/// "..", no backslash, no control character.
bool is_safe_path(std::string_view path);

/// 40 hexadecimal digits, in lower case: a commit, or the git hash of a small file.
bool is_git_hash(std::string_view text);

/// 64 hexadecimal digits, in lower case: the hash of a large file.
bool is_sha256(std::string_view text);

}  // namespace rsr::io
