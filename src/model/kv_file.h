// Keys and values of a text in a file, for another process whose text begins with the same tokens:
// a safetensors file (docs/prompt_cache.md draws it).
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/thread_pool.h"
#include "io/safetensors.h"
#include "model/kv_cache.h"
#include "model/kv_layout.h"
#include "rsr/status.h"

namespace rsr::model {

/// Version of the container that is written and read.
inline constexpr int kKvFileVersion = 1;
/// The tokens, i32 [tokens].
inline constexpr std::string_view kIdsName = "ids";

/// An opened file that fits its owner.
class KvFile {
 public:
  /// Checks everything but keys and values. Errors name the file and what is wrong with it: no such
  /// file (not_found), one that is no prompt cache or was damaged (corrupt_data), another version
  /// of the container (unsupported), another owner (invalid_argument, with both).
  static Result<KvFile> open(const std::string& path, const KvOwner& owner);

  /// The tokens, one or more.
  const std::vector<int32_t>& ids() const { return ids_; }

  /// Checks all keys and values, then copies those of the first `count` tokens into a cache of the
  /// owner's kind. On an error, which names the tensor that was damaged, the cache is as it was.
  /// The threads of the pool share the layers.
  Status read(base::ThreadPool& pool, int64_t count, const KvCache& cache) const;

 private:
  KvFile(KvOwner owner, io::SafetensorsFile file)
      : owner_(std::move(owner)), file_(std::move(file)) {}
  Status check();
  Status read_ids();
  Status check_layer(int64_t layer) const;
  void copy_layer(int64_t layer, int64_t count, const KvCache& cache) const;

  KvOwner owner_;
  io::SafetensorsFile file_;
  std::string path_;
  std::vector<int32_t> ids_;
  std::vector<KvPart> parts_;
};

/// Metadata of a file, `checksums` by tensor; the hash still zeros.
std::map<std::string, std::string> kv_metadata(const KvOwner& owner,
                                               const std::map<std::string, uint64_t>& checksums);

/// Writes keys and values of the first ids.size() positions, one or more, in place of a file that
/// is there: whole or, on an error, not at all.
Status write_kv_file(const std::string& path, const KvOwner& owner, const KvCache& cache,
                     std::span<const int32_t> ids);

}  // namespace rsr::model
