#include "cli/commands.h"

#include <cstdio>

namespace rsr::cli {

void add_threads(CLI::App& command, int* threads) {
  command.add_option("--threads", *threads, "Threads; 0: as many cores as this process may use")
      ->check(CLI::Range(0, 1024))
      ->type_name("N");
}

void add_pin(CLI::App& command, bool* pin) {
  command.add_flag("--pin", *pin,
                   "Keep each thread on a core of its own; for a machine that is idle else");
}

void add_verify(CLI::App& command, bool* verify) {
  command.add_flag("--verify", *verify, "Check every byte of a prepared model by its checksums");
}

void print_notice(const std::string& notice) {
  if (!notice.empty()) std::fprintf(stderr, "notice: %s\n", notice.c_str());
}

int fail(const Status& status) {
  std::fprintf(stderr, "error: %s\n", status.message().c_str());
  return kFailed;
}

}  // namespace rsr::cli
