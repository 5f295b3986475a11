// From an id to a directory: what the cache has, what the server lists, what is to be downloaded.
#include <algorithm>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/file.h"
#include "io/hub/blob_download.h"
#include "io/hub/cache.h"
#include "io/hub/hub.h"
#include "io/hub/hub_client.h"
#include "io/hub/meter.h"
#include "io/hub/model_files.h"
#include "io/safetensors.h"

namespace rsr::io {
namespace {

using base::error;

class SnapshotDownload {
 public:
  SnapshotDownload(HubClient* client, const HubCache& cache, Listing listing)
      : client_(*client), cache_(cache), listing_(std::move(listing)) {}

  Status run(const std::string& revision);

 private:
  Status add(const std::string& path);
  Status choose_first();
  Status choose_shards();
  Status fetch_planned();

  HubClient& client_;
  const HubCache& cache_;
  Listing listing_;
  std::vector<RepoFile> planned_;
};

/// Plans a file for download; one that the repository lacks is an error.
Status SnapshotDownload::add(const std::string& path) {
  const RepoFile* listed = listing_.find(path);
  if (listed == nullptr) {
    return error(ErrorCode::corrupt_data, "the repository has no ", path, ", which its ",
                 kWeightsIndex, " names");
  }
  RepoFile file = *listed;
  RSR_RETURN_IF_ERROR(client_.complete(listing_.commit, &file));
  client_.meter()->plan(std::max<int64_t>(file.size, 0));
  planned_.push_back(std::move(file));
  return {};
}

/// Small files first: their errors come soon.
Status SnapshotDownload::choose_first() {
  const bool single = listing_.find(kWeightsFile) != nullptr;
  const char* weights = single ? kWeightsFile : kWeightsIndex;
  for (const char* name : {kConfigFile, weights}) {
    if (listing_.find(name) != nullptr) continue;
    return error(ErrorCode::unsupported, "the repository has no ", name,
                 name == kConfigFile ? "" : " and no model.safetensors",
                 "; RSR runs models in safetensors files");
  }
  RSR_RETURN_IF_ERROR(add(kConfigFile));
  for (const char* name : kOptionalFiles) {
    if (listing_.find(name) != nullptr) {
      RSR_RETURN_IF_ERROR(add(name));
    } else {
      RSR_RETURN_IF_ERROR(cache_.mark_absent(listing_.commit, name));
    }
  }
  return add(weights);
}

Status SnapshotDownload::choose_shards() {
  if (listing_.find(kWeightsFile) != nullptr) return {};
  RSR_ASSIGN_OR_RETURN(const auto map,
                       read_weight_map(cache_.snapshot(listing_.commit) + "/" + kWeightsIndex));
  std::set<std::string> shards;
  for (const auto& [tensor, shard] : map) shards.insert(shard);
  for (const std::string& shard : shards) RSR_RETURN_IF_ERROR(add(shard));
  return {};
}

Status SnapshotDownload::fetch_planned() {
  RSR_RETURN_IF_ERROR(cache_.check_room(planned_));
  for (const RepoFile& file : planned_) {
    RSR_RETURN_IF_ERROR(download_blob(&client_, cache_, listing_.commit, file));
    RSR_RETURN_IF_ERROR(cache_.link(listing_.commit, file));
  }
  planned_.clear();
  return {};
}

Status SnapshotDownload::run(const std::string& revision) {
  RSR_RETURN_IF_ERROR(cache_.make_folders(listing_.commit));
  RSR_RETURN_IF_ERROR(choose_first());
  RSR_RETURN_IF_ERROR(fetch_planned());
  RSR_RETURN_IF_ERROR(choose_shards());
  RSR_RETURN_IF_ERROR(fetch_planned());
  // Last: whoever finds the revision finds all of it.
  return cache_.write_ref(revision, listing_.commit);
}

Result<std::string> download_model(const ModelId& id, const HubOptions& options,
                                   const HubCache& cache, Meter* meter) {
  RSR_ASSIGN_OR_RETURN(HubClient client, HubClient::create(id, options, meter));
  RSR_ASSIGN_OR_RETURN(Listing listing, client.list());
  const std::string directory = cache.snapshot(listing.commit);
  RSR_RETURN_IF_ERROR(SnapshotDownload(&client, cache, std::move(listing)).run(id.revision));
  return directory;
}

/// What the cache has of the revision; empty when it knows nothing of it.
CachedSnapshot look_up(const HubCache& cache, const std::string& revision) {
  const std::optional<std::string> commit = cache.commit_of(revision);
  if (!commit) return {.missing = "refs/" + revision};
  return cache.look(*commit);
}

Result<std::string> resolve_id(const ModelId& id, const HubOptions& options,
                               const HubProgressFunction& progress) {
  if (options.cache.empty()) {
    return error(ErrorCode::invalid_argument,
                 "no folder for the cache: set HF_HUB_CACHE, HF_HOME or HOME");
  }
  const HubCache cache(options.cache, id);
  const CachedSnapshot found = look_up(cache, id.revision);
  if (options.offline) {
    if (found.usable()) return found.directory;
    return error(ErrorCode::not_found, "not in the cache ", options.cache, " (no ", found.missing,
                 "), and HF_HUB_OFFLINE forbids to download it");
  }
  if (found.complete() && !options.update) return found.directory;
  Meter meter(progress);
  ModelId wanted = id;
  if (found.usable() && !options.update) wanted.revision = found.commit;  // not what is new since
  Result<std::string> downloaded = download_model(wanted, options, cache, &meter);
  if (downloaded.ok() || !found.usable() || options.update || meter.cancelled()) return downloaded;
  // Better a model whose repository may have another small file than none.
  if (options.notice) {
    options.notice("the cache has no " + found.unknown + ", and whether the model has one could " +
                   "not be found out: " + downloaded.status().message());
  }
  return found.directory;
}

}  // namespace

Result<std::string> resolve_model(const std::string& source, const HubOptions& options,
                                  const HubProgressFunction& progress) {
  if (base::file_exists(source)) return source;
  const std::optional<ModelId> id = parse_model_id(source);
  if (!id) {
    return error(ErrorCode::not_found, source, ": no such directory, and not the id of a model, ",
                 "which is org/name or org/name@revision");
  }
  Result<std::string> directory = resolve_id(*id, options, progress);
  if (!directory.ok()) return directory.status().with_context(source);
  return directory;
}

}  // namespace rsr::io
