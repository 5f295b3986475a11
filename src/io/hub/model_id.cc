#include "io/hub/model_id.h"

#include <algorithm>

namespace rsr::io {
namespace {

constexpr size_t kMaxNameBytes = 96;  // the hub's own limit, for org/name as a whole
constexpr size_t kMaxPathBytes = 1024;

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/// One half of "org/name". "--" is what stands between them in the name of the cache's folder.
bool is_name_part(std::string_view part) {
  if (part.empty() || part.find("--") != part.npos || part.find("..") != part.npos) return false;
  const auto at_edge = [](char c) { return is_letter_or_digit(c) || c == '_'; };
  const auto inside = [&](char c) { return at_edge(c) || c == '-' || c == '.'; };
  return at_edge(part.front()) && at_edge(part.back()) &&
         std::all_of(part.begin(), part.end(), inside);
}

/// What git forbids in the name of a branch, and spaces.
bool is_revision(std::string_view text) {
  return is_safe_path(text) && text.front() != '-' && text.find_first_of(" ~^:?*[@") == text.npos;
}

bool is_hexadecimal(std::string_view text, size_t length) {
  return text.size() == length && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

}  // namespace

std::optional<ModelId> parse_model_id(std::string_view text) {
  ModelId id;
  const size_t at = text.find('@');
  const std::string_view name = text.substr(0, at);
  if (at != text.npos) {
    id.revision = text.substr(at + 1);
    if (!is_revision(id.revision)) return std::nullopt;
  }
  const size_t slash = name.find('/');
  if (slash == name.npos || name.size() > kMaxNameBytes) return std::nullopt;
  if (!is_name_part(name.substr(0, slash)) || !is_name_part(name.substr(slash + 1))) {
    return std::nullopt;
  }
  id.name = name;
  return id;
}

bool is_safe_path(std::string_view path) {
  if (path.empty() || path.size() > kMaxPathBytes) return false;
  const auto forbidden = [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '\\';
  };
  if (std::any_of(path.begin(), path.end(), forbidden)) return false;
  while (true) {
    const size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    if (part.empty() || part == "." || part == "..") return false;
    if (slash == path.npos) return true;
    path.remove_prefix(slash + 1);
  }
}

bool is_git_hash(std::string_view text) {
  return is_hexadecimal(text, 40);
}

bool is_sha256(std::string_view text) {
  return is_hexadecimal(text, 64);
}

}  // namespace rsr::io
