#include "cli/interrupt.h"

#include <csignal>

namespace rsr::cli {
namespace {

volatile std::sig_atomic_t seen = 0;

void remember(int /*signal*/) {
  seen = 1;
}

}  // namespace

void catch_interrupt() {
  struct sigaction action = {};
  action.sa_handler = remember;
  action.sa_flags = SA_RESTART | static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, nullptr);
}

bool interrupted() {
  return seen != 0;
}

}  // namespace rsr::cli
