#include "cli/interrupt.h"

#include <csignal>

namespace rsr::cli {
namespace {

volatile std::sig_atomic_t seen = 0;

void remember(int /*signal*/) {
  seen = 1;
}

void catch_with(int flags) {
  struct sigaction action = {};
  action.sa_handler = remember;
  action.sa_flags = flags;
  sigaction(SIGINT, &action, nullptr);
}

}  // namespace

void catch_interrupt() {
  catch_with(SA_RESTART | static_cast<int>(SA_RESETHAND));
}

void catch_every_interrupt() {
  catch_with(0);
}

bool interrupted() {
  return seen != 0;
}

void forget_interrupt() {
  seen = 0;
}

}  // namespace rsr::cli
