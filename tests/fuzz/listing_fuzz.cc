// What an accepted list of files names can be appended to a folder and stays below it: that, and
// the checksums as names in the cache, is all that a download builds paths from.
#include <filesystem>
#include <string>

#include "fuzz.h"
#include "io/hub/listing.h"
#include "io/hub/model_id.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = rsr::fuzz::as_text(data, size);
  if (const auto id = rsr::io::parse_model_id(text)) {
    FUZZ_CHECK(rsr::io::is_safe_path(id->name) && rsr::io::is_safe_path(id->revision));
  }
  const auto listing = rsr::io::parse_listing(text, "listing");
  if (!listing.ok()) return 0;
  FUZZ_CHECK(rsr::io::is_git_hash(listing->commit));
  for (const auto& [path, file] : listing->files) {
    FUZZ_CHECK(path == file.path && file.size >= -1);
    FUZZ_CHECK(file.blob.empty() || rsr::io::is_git_hash(file.blob) ||
               rsr::io::is_sha256(file.blob));
    const std::filesystem::path below = std::filesystem::path(path).lexically_normal();
    FUZZ_CHECK(below.is_relative() && !below.empty() && *below.begin() != ".." && below != ".");
  }
  return 0;
}
