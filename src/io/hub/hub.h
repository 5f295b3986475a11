// Models of the Hugging Face hub: an id becomes a directory, by way of the cache that every Hugging
// Face program shares.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "rsr/status.h"

namespace rsr::io {

struct HubOptions {
  /// Where the API and the files are: http:// or https://, without a slash at its end.
  std::string endpoint = "https://huggingface.co";
  /// Sent to the endpoint's host and to no other; empty: none.
  std::string token = {};
  /// The cache's folder (it holds models--org--name/...); empty: there is none, which is an error
  /// as soon as one is needed. It need not exist.
  std::string cache = {};
  /// Only the cache, never the network.
  bool offline = false;
  /// Asks the server where a revision stands now, even when the cache has it.
  bool update = false;
  /// Seconds that a transfer may stay below 1 KiB a second before it is given up and tried anew.
  int stall_seconds = 30;
  /// Seconds for making a connection.
  int connect_seconds = 15;
  /// How often a request is tried again when the attempt before brought nothing new.
  int retries = 5;
  /// Told, in one line, what the user may want to know: a retry, a wait for another process.
  std::function<void(const std::string&)> notice = {};
};

/// What the environment says, by Hugging Face's names: HF_ENDPOINT, HF_TOKEN (else the file
/// HF_TOKEN_PATH, else HF_HOME/token), HF_HUB_CACHE (else HF_HOME/hub), HF_HUB_OFFLINE. HF_HOME is
/// $XDG_CACHE_HOME/huggingface when it is not set, or ~/.cache/huggingface.
HubOptions hub_options_from_environment();

/// Where a download stands, in bytes, over all files that are known to be needed.
struct HubProgress {
  std::string file;      ///< the one that is being downloaded
  int64_t bytes = 0;     ///< on the disk, those of earlier runs included
  int64_t total = 0;     ///< grows when the index of a model in shards has been read
  int64_t received = 0;  ///< by this call
};

/// Called often (after every piece, and about once a second while nothing comes); false cancels.
using HubProgressFunction = std::function<bool(const HubProgress&)>;

/// The directory that holds a model. What exists is itself. Otherwise `source` is an id of the hub,
/// "org/name" or "org/name@revision" (branch, tag or commit; "main" when it is not given): found in
/// the cache when that has all that this engine reads of it, else downloaded there. Errors:
/// not_found (no such directory, id, model, revision, or offline and not in the cache),
/// unsupported (no safetensors), corrupt_data (what came is not what the server announced),
/// io_error (network, disk, access denied, cancelled). What was downloaded before an error stays in
/// the cache, and the next call goes on from there.
Result<std::string> resolve_model(const std::string& source, const HubOptions& options,
                                  const HubProgressFunction& progress = {});

}  // namespace rsr::io
