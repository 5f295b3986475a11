// One file of a repository comes into the cache.
#pragma once

#include <string>

#include "io/hub/cache.h"
#include "io/hub/hub_client.h"
#include "io/hub/listing.h"
#include "rsr/status.h"

namespace rsr::io {

/// Downloads what the cache lacks of the file's content, checks its size and checksum, and gives it
/// its name in the cache. Does nothing when it is there, and waits when another process is at it.
/// The file's checksum must be known.
Status download_blob(HubClient* client, const HubCache& cache, const std::string& commit,
                     const RepoFile& file);

}  // namespace rsr::io
