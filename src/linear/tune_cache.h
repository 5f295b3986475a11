// The file in which `rsr tune` keeps what was fastest on a machine, and who reads it.
//
//   {"format": 1, "entries": [
//     {"cpu": "...", "version": "0.1.0", "isa": "avx512vbmi",
//      "formats": [{"format": "t5", "prefetch_near": 1024, "prefetch_far": 2048,
//                   "gemm_batch": 9, "token_tile": 0, "tables_gain": 1.5}],
//      "rsr": [{"bits": "ternary", "form": "scatter", "rows": 2560, "cols": 2560, "k": 5}]}]}
//
// An entry is for one processor, version and instruction set, since times of another say nothing.
// A file that is damaged costs speed, never a result or a start: it is ignored with a warning.
#pragma once

#include <optional>
#include <string>

#include "base/json.h"
#include "linear/tuning.h"

namespace rsr::linear {

/// What an entry was measured with.
struct TuneKey {
  std::string cpu;
  std::string version;
  base::Isa isa = base::Isa::reference;
};

/// This machine and this version of the library.
TuneKey this_machine(base::Isa isa);

inline constexpr const char* kTuneCacheFile = "tune.json";

/// That file in the cache directory; nothing where there is no such directory.
std::optional<std::string> tune_cache_path();

/// The entry for `key`, checked. Errors: anything wrong with the file's outline or with that entry,
/// and (not_found) that there is none for the key; `what` names the file in messages.
Result<TuningTable> find_tuning(const base::Json& file, const TuneKey& key,
                                const std::string& what);

/// `file` with the entry for `key` set to `table`; others stay. A damaged file starts anew.
base::Json with_tuning(const base::Json& file, const TuneKey& key, const TuningTable& table);

/// Writes `table` for `key` into the cache directory's file. Errors: what the system says, and
/// (not_found) that there is no such directory.
Status write_tuning(const TuneKey& key, const TuningTable& table);

/// What a Context uses: from the tune cache, which a process reads once, or the defaults. `warning`
/// says why a cache that is there cannot be used; else it is left as it is.
TuningTable tuning_for(base::Isa isa, std::string* warning = nullptr);

}  // namespace rsr::linear
