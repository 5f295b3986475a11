// The cache that Hugging Face's programs share, for one model:
//
//   CACHE/models--org--name/blobs/CHECKSUM                   the content of a file
//                          /blobs/CHECKSUM.incomplete        what has come of it
//                          /snapshots/COMMIT/FILE            a link to its blob
//                          /refs/REVISION                    the commit where a branch or tag stood
//                          /.no_exist/COMMIT/FILE            empty: the commit has no such file
//   CACHE/.locks/models--org--name/CHECKSUM.lock             held while the blob is made
#pragma once

#include <optional>
#include <span>
#include <string>

#include "io/hub/listing.h"
#include "io/hub/model_id.h"
#include "rsr/status.h"

namespace rsr::io {

/// What the cache has of a commit.
struct CachedSnapshot {
  std::string commit = {};
  std::string directory = {};
  /// The first file that is needed and not there; empty: the model can be loaded.
  std::string missing = {};
  /// A file that is not there and that the repository may or may not have; empty: all is known.
  std::string unknown = {};

  bool usable() const { return missing.empty(); }
  bool complete() const { return missing.empty() && unknown.empty(); }
};

class HubCache {
 public:
  /// `root` is the folder CACHE. Nothing is made yet.
  HubCache(std::string root, const ModelId& id);

  /// Where `revision` stood when it was last downloaded; a commit stands for itself.
  std::optional<std::string> commit_of(const std::string& revision) const;
  CachedSnapshot look(const std::string& commit) const;

  /// Makes the folders for downloads of this commit.
  Status make_folders(const std::string& commit) const;
  std::string blob_path(const std::string& blob) const { return folder_ + "/blobs/" + blob; }
  std::string partial_path(const std::string& blob) const {
    return blob_path(blob) + ".incomplete";
  }
  std::string lock_path(const std::string& blob) const { return locks_ + "/" + blob + ".lock"; }
  std::string snapshot(const std::string& commit) const { return folder_ + "/snapshots/" + commit; }

  /// An error when the disk has not the room for what is still to come of these files.
  Status check_room(std::span<const RepoFile> files) const;
  /// Lets the file's name in the snapshot lead to its blob.
  Status link(const std::string& commit, const RepoFile& file) const;
  /// Remembers that the commit has no file of that (plain) name.
  Status mark_absent(const std::string& commit, const std::string& name) const;
  /// A revision that is a commit is not written.
  Status write_ref(const std::string& revision, const std::string& commit) const;

 private:
  std::string folder_;
  std::string locks_;
};

}  // namespace rsr::io
