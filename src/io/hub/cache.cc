#include "io/hub/cache.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "base/check.h"
#include "base/file.h"
#include "base/file_descriptor.h"
#include "io/hub/model_files.h"
#include "io/safetensors.h"

namespace rsr::io {
namespace {

constexpr size_t kMaxRefBytes = 4096;

std::string folder_name(const std::string& id) {
  std::string name = "models--" + id;
  return name.replace(name.find('/'), 1, "--");
}

Status make_folder(const std::string& path) {
  std::error_code failed;
  std::filesystem::create_directories(path, failed);
  if (failed) return base::error(ErrorCode::io_error, path, ": ", failed.message());
  return {};
}

/// The first file of the weights that is not there, or empty. An index that cannot be read is as
/// good as none: it is downloaded again.
std::string missing_weights(const std::string& directory) {
  if (base::file_exists(directory + "/" + kWeightsFile)) return "";
  const auto shards = read_weight_map(directory + "/" + kWeightsIndex);
  if (!shards.ok())
    return shards.status().code() == ErrorCode::not_found ? kWeightsFile : kWeightsIndex;
  std::set<std::string> names;
  for (const auto& [tensor, shard] : *shards) names.insert(shard);
  const std::string folder = directory + "/";
  for (const std::string& name : names) {
    if (!base::file_exists(folder + name)) return name;
  }
  return "";
}

/// 0 where there is no such file.
int64_t size_of(const std::string& path) {
  std::error_code failed;
  const uintmax_t size = std::filesystem::file_size(path, failed);
  return failed ? 0 : static_cast<int64_t>(size);
}

/// symlink() under another name and rename(): what stood there (a link to a lost blob) is replaced
/// at once, and two processes may do this together.
Status replace_link(const std::string& target, const std::string& path) {
  const std::string temporary = path + "." + std::to_string(::getpid()) + ".tmp";
  ::unlink(temporary.c_str());
  if (::symlink(target.c_str(), temporary.c_str()) != 0) return base::system_error(temporary);
  if (std::rename(temporary.c_str(), path.c_str()) == 0) return {};
  Status failed = base::system_error(path);
  ::unlink(temporary.c_str());
  return failed;
}

}  // namespace

HubCache::HubCache(std::string root, const ModelId& id)
    : folder_(root + "/" + folder_name(id.name)),
      locks_(std::move(root) + "/.locks/" + folder_name(id.name)) {}

std::optional<std::string> HubCache::commit_of(const std::string& revision) const {
  if (is_git_hash(revision)) return revision;
  Result<std::string> text = base::read_file(folder_ + "/refs/" + revision, kMaxRefBytes);
  if (!text.ok()) return std::nullopt;
  std::string commit = std::move(text).value();
  while (commit.ends_with('\n')) commit.pop_back();
  if (!is_git_hash(commit)) return std::nullopt;
  return commit;
}

CachedSnapshot HubCache::look(const std::string& commit) const {
  CachedSnapshot found = {.commit = commit, .directory = snapshot(commit)};
  found.missing = base::file_exists(found.directory + "/" + kConfigFile)
                      ? missing_weights(found.directory)
                      : kConfigFile;
  const std::string absent = folder_ + "/.no_exist/" + commit + "/";
  for (const char* name : kOptionalFiles) {
    if (!base::file_exists(found.directory + "/" + name) && !base::file_exists(absent + name)) {
      found.unknown = name;
    }
  }
  return found;
}

Status HubCache::make_folders(const std::string& commit) const {
  RSR_RETURN_IF_ERROR(make_folder(folder_ + "/blobs"));
  RSR_RETURN_IF_ERROR(make_folder(snapshot(commit)));
  return make_folder(locks_);
}

Status HubCache::check_room(std::span<const RepoFile> files) const {
  int64_t missing = 0;
  for (const RepoFile& file : files) {
    const int64_t here = std::max(size_of(blob_path(file.blob)), size_of(partial_path(file.blob)));
    missing += std::max<int64_t>(file.size - here, 0);
  }
  std::error_code failed;
  const std::filesystem::space_info disk = std::filesystem::space(folder_, failed);
  if (failed || disk.available >= static_cast<uint64_t>(missing)) return {};
  return base::error(ErrorCode::io_error, folder_, ": ", missing, " bytes are to come, and the ",
                     "disk has room for ", disk.available);
}

Status HubCache::link(const std::string& commit, const RepoFile& file) const {
  // Relative, so that a cache can be moved: up from the file's folder to this model's.
  const auto depth = 2 + std::count(file.path.begin(), file.path.end(), '/');
  std::string target;
  for (auto i = depth; i > 0; --i) target += "../";
  target += "blobs/" + file.blob;
  const std::string path = snapshot(commit) + "/" + file.path;
  RSR_RETURN_IF_ERROR(make_folder(std::filesystem::path(path).parent_path().string()));
  return replace_link(target, path);
}

Status HubCache::mark_absent(const std::string& commit, const std::string& name) const {
  const std::string folder = folder_ + "/.no_exist/" + commit;
  RSR_RETURN_IF_ERROR(make_folder(folder));
  return base::replace_file(folder + "/" + name, "");
}

Status HubCache::write_ref(const std::string& revision, const std::string& commit) const {
  if (is_git_hash(revision)) return {};
  const std::string path = folder_ + "/refs/" + revision;
  RSR_RETURN_IF_ERROR(make_folder(std::filesystem::path(path).parent_path().string()));
  return base::replace_file(path, commit);
}

}  // namespace rsr::io
