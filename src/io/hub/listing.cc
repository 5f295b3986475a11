#include "io/hub/listing.h"

#include "base/check.h"
#include "base/json.h"
#include "io/hub/model_id.h"

namespace rsr::io {
namespace {

using base::error;
using base::Json;

/// More than any hub takes; sums of them do not overflow.
constexpr int64_t kMaxFileBytes = int64_t{1} << 40;

/// The large files' own checksum where there is one, for it is what the cache calls them by.
Status read_checksum(const Json& sibling, RepoFile* file) {
  const Json* lfs = base::json_find(sibling, "lfs");
  if (lfs != nullptr) {
    RSR_ASSIGN_OR_RETURN(file->blob, base::json_string(*lfs, "sha256", ""));
    RSR_ASSIGN_OR_RETURN(file->size, base::json_int(*lfs, "size", file->size));
    if (file->blob.empty() || is_sha256(file->blob)) return {};
  } else {
    RSR_ASSIGN_OR_RETURN(file->blob, base::json_string(sibling, "blobId", ""));
    if (file->blob.empty() || is_git_hash(file->blob)) return {};
  }
  return error(ErrorCode::corrupt_data, Json(file->blob).dump(), " is no checksum");
}

Result<RepoFile> read_file_entry(const Json& sibling) {
  RepoFile file;
  RSR_ASSIGN_OR_RETURN(file.path, base::json_require_string(sibling, "rfilename"));
  if (!is_safe_path(file.path)) {
    return error(ErrorCode::corrupt_data, Json(file.path).dump(),
                 " is not the name of a file in a repository");
  }
  RSR_ASSIGN_OR_RETURN(file.size, base::json_int(sibling, "size", -1));
  RSR_RETURN_IF_ERROR(read_checksum(sibling, &file).with_context(file.path));
  if (file.size > kMaxFileBytes) {
    return error(ErrorCode::corrupt_data, file.path, ": a size of ", file.size, " bytes");
  }
  if (file.size < 0) file.size = -1;
  return file;
}

Result<Listing> read_listing(const Json& json) {
  Listing listing;
  RSR_ASSIGN_OR_RETURN(listing.commit, base::json_require_string(json, "sha"));
  if (!is_git_hash(listing.commit)) {
    return error(ErrorCode::corrupt_data, "\"sha\" is not a commit: ", Json(listing.commit).dump());
  }
  const Json* siblings = base::json_find(json, "siblings");
  if (siblings == nullptr || !siblings->is_array()) {
    return error(ErrorCode::corrupt_data, "\"siblings\" must be an array");
  }
  for (const Json& sibling : *siblings) {
    RSR_ASSIGN_OR_RETURN(RepoFile file, read_file_entry(sibling));
    const std::string path = file.path;
    if (!listing.files.emplace(path, std::move(file)).second) {
      return error(ErrorCode::corrupt_data, path, " is listed twice");
    }
  }
  return listing;
}

}  // namespace

const RepoFile* Listing::find(std::string_view path) const {
  const auto it = files.find(path);
  return it == files.end() ? nullptr : &it->second;
}

Result<Listing> parse_listing(std::string_view text, const std::string& what) {
  RSR_ASSIGN_OR_RETURN(const Json json, base::parse_json(text, what));
  Result<Listing> listing = read_listing(json);
  if (!listing.ok()) return listing.status().with_context(what);
  return listing;
}

}  // namespace rsr::io
