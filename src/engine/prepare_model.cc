// From a model directory to a prepared one.
#include <chrono>
#include <filesystem>
#include <new>
#include <system_error>

#include "base/check.h"
#include "base/new_directory.h"
#include "engine/model_files.h"
#include "linear/context.h"
#include "linear/packing_isa.h"
#include "model/write_prepared.h"
#include "rsr/engine.h"

namespace rsr {
namespace {

namespace fs = std::filesystem;
using base::error;
using base::NewDirectory;

/// True when `path` is `directory` or lies in it; both are there.
bool lies_in(const std::string& path, const std::string& directory) {
  std::error_code failed;
  for (fs::path at = fs::canonical(path, failed); !failed && !at.empty(); at = at.parent_path()) {
    if (fs::equivalent(at, directory, failed)) return true;
    if (at == at.root_path()) break;
  }
  return false;
}

Status check_source(const std::string& directory) {
  std::error_code failed;
  const fs::file_status status = fs::status(directory, failed);
  if (status.type() == fs::file_type::not_found) {
    return error(ErrorCode::not_found, directory, ": no such directory");
  }
  if (!fs::exists(status)) return error(ErrorCode::io_error, directory, ": ", failed.message());
  if (!fs::is_directory(status)) {
    return error(ErrorCode::invalid_argument, directory,
                 ": is no directory; a model is named by the directory of its config.json");
  }
  if (!model::is_prepared(directory)) return {};
  return error(
      ErrorCode::invalid_argument, directory,
      ": is a prepared model already; use it as it is, or prepare the original model again");
}

/// A target that is there is touched only if a prepared model would be lost, or nothing.
Status check_target(const std::string& source, const std::string& target, bool replace) {
  std::error_code failed;
  const fs::file_status status = fs::symlink_status(target, failed);
  if (status.type() == fs::file_type::not_found) return {};
  if (failed) return error(ErrorCode::io_error, target, ": ", failed.message());
  if (lies_in(source, target)) {
    return error(ErrorCode::invalid_argument, target,
                 ": is or holds the model that is to be read (", source, ")");
  }
  if (!replace) {
    return error(ErrorCode::invalid_argument, target, ": is there already");
  }
  const bool replaceable =
      fs::is_directory(status) && (model::is_prepared(target) || fs::is_empty(target, failed));
  if (replaceable) return {};
  return error(ErrorCode::invalid_argument, target,
               ": is no prepared model, so it is not replaced; remove it, or choose another name");
}

Result<PreparedModel> prepare_into(const std::string& source, const std::string& target,
                                   const PrepareModelOptions& options) {
  RSR_RETURN_IF_ERROR(check_source(source));
  RSR_ASSIGN_OR_RETURN(const base::Isa isa, linear::packing_isa(options.isa));
  RSR_RETURN_IF_ERROR(check_target(source, target, options.replace));
  RSR_ASSIGN_OR_RETURN(const Context context, Context::create({.threads = options.threads}));
  RSR_ASSIGN_OR_RETURN(NewDirectory directory, NewDirectory::create(target));
  RSR_RETURN_IF_ERROR(engine::copy_model_files(source, directory.path()));
  RSR_ASSIGN_OR_RETURN(
      const model::WrittenModel written,
      model::write_prepared(context.impl(), source, directory.path() + "/" + model::kPreparedFile,
                            isa, options.on_progress));
  RSR_RETURN_IF_ERROR(directory.commit(options.replace ? NewDirectory::Existing::replace
                                                       : NewDirectory::Existing::refuse));
  PreparedModel made;
  made.bytes = written.bytes;
  made.source_bytes = written.source_bytes;
  made.layers = written.layers;
  made.isa = written.info.isa;
  made.formats = written.info.formats;
  return made;
}

}  // namespace

Result<PreparedModel> prepare_model(const std::string& source, const std::string& target,
                                    const PrepareModelOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  try {
    RSR_ASSIGN_OR_RETURN(PreparedModel made, prepare_into(source, target, options));
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    made.seconds = seconds.count();
    return made;
  } catch (const std::bad_alloc&) {
    return error(ErrorCode::limit_exceeded, source, ": out of memory");
  }
}

}  // namespace rsr
