// What a repository of the hub consists of, as its server lists it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "rsr/status.h"

namespace rsr::io {

struct RepoFile {
  std::string path;   ///< in the repository; safe to append to a folder
  int64_t size = -1;  ///< bytes; negative: not told
  /// The checksum, which is also the name of the file's content in the cache: SHA-256 for large
  /// files, git's hash (SHA-1) for others. Empty: not told.
  std::string blob = {};
};

struct Listing {
  std::string commit;  ///< a git hash
  std::map<std::string, RepoFile, std::less<>> files;

  /// nullptr when the repository has no such file.
  const RepoFile* find(std::string_view path) const;
};

/// Reads the answer of GET /api/models/ID/revision/REVISION?blobs=true. `what` names it in
/// messages. Errors: not JSON, a commit or checksum that is none, a path that could lead out of the
/// folder.
Result<Listing> parse_listing(std::string_view text, const std::string& what);

}  // namespace rsr::io
