#include "cli/prompt_cache.h"

#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>

#include "base/check.h"
#include "cli/commands.h"

namespace rsr::cli {
namespace {

/// A file that is not ours to use is never overwritten: the user decides.
Status with_way_out(const Status& status) {
  const ErrorCode code = status.code();
  const bool not_ours = code == ErrorCode::corrupt_data || code == ErrorCode::unsupported ||
                        code == ErrorCode::invalid_argument;
  const Status whole =
      not_ours ? base::error(code, status.message(), "; remove the file, or name another one")
               : status;
  return whole.with_context("--prompt-cache");
}

/// Whether a file that is not there can be made: better known before a long prompt.
Status check_folder(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  if (::access(folder.empty() ? "." : folder.c_str(), W_OK | X_OK) == 0) return {};
  return base::error(ErrorCode::io_error, path, ": ", std::strerror(errno));
}

}  // namespace

void add_prompt_cache(CLI::App& command, PromptCacheFlags* flags) {
  CLI::Option* file =
      command
          .add_option("--prompt-cache", flags->path,
                      "Keep what was read of the prompt in FILE; tokens that a later prompt begins "
                      "with, too, are not read again. Made when it is not there")
          ->check([](const std::string& text) {
            return std::string(text.empty() ? "must not be empty" : "");
          })
          ->type_name("FILE");
  command
      .add_flag("--prompt-cache-read-only", flags->read_only,
                "Use the file of --prompt-cache as it is, and do not write it")
      ->needs(file);
}

Status load_prompt_cache(const PromptCacheFlags& flags, Session& session) {
  if (flags.path.empty()) return {};
  const Status status = session.load_prompt_cache(flags.path).status();
  if (status.code() != ErrorCode::not_found || flags.read_only) return with_way_out(status);
  return with_way_out(check_folder(flags.path));
}

int save_prompt_cache(const PromptCacheFlags& flags, const Session& session, int code) {
  if (flags.path.empty() || flags.read_only) return code;
  // A limit on the size of files is then an error like a full disk.
  std::signal(SIGXFSZ, SIG_IGN);
  const Status status = session.save_prompt_cache(flags.path).status();
  return status.ok() ? code : fail(with_way_out(status));
}

}  // namespace rsr::cli
