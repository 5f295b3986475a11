// From a model directory to the file of a prepared one.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "linear/context.h"
#include "model/prepared.h"
#include "rsr/status.h"

namespace rsr::model {

/// Called now and then with the bytes of the source that are done, and all of them; false ends the
/// work.
using Progress = std::function<bool(int64_t done, int64_t total)>;

struct WrittenModel {
  int64_t bytes = 0;         // of the file
  int64_t source_bytes = 0;  // of the tensors that were read
  int64_t layers = 0;
  PreparedInfo info;
};

/// Packs the weights of the directory `source` for the kernels of `isa` and writes them to `path`,
/// which must not be there; config.json and the other small files are the caller's business. Works
/// linear by linear, several at once on the context's threads: besides the largest tensor, at most
/// about a gigabyte is held. Errors are those of load_model() and of the disk, and `cancelled`; the
/// file is then no prepared model, and stays for the caller to remove.
Result<WrittenModel> write_prepared(Context::Impl& context, const std::string& source,
                                    const std::string& path, base::Isa isa,
                                    const Progress& progress);

}  // namespace rsr::model
