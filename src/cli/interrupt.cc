#include "cli/interrupt.h"

#include <unistd.h>

#include <csignal>

namespace rsr::cli {
namespace {

volatile std::sig_atomic_t seen = 0;
struct sigaction before = {};  // catch_interrupt() came

void remember(int /*signal*/) {
  seen = 1;
}

/// A signal that comes just before a read would not end it: an alarm rings until somebody looks.
void remember_and_ring(int /*signal*/) {
  seen = 1;
  alarm(1);
}

void catch_with(int signal, void (*handler)(int), int flags, struct sigaction* old = nullptr) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  sigaction(signal, &action, old);
}

}  // namespace

void catch_interrupt() {
  catch_with(SIGINT, remember, SA_RESTART | static_cast<int>(SA_RESETHAND), &before);
}

void catch_every_interrupt() {
  catch_with(SIGINT, remember_and_ring, 0);
  catch_with(SIGALRM, remember_and_ring, 0);
}

void release_interrupt() {
  sigaction(SIGINT, &before, nullptr);
}

bool interrupted() {
  return seen != 0;
}

void forget_interrupt() {
  alarm(0);
  seen = 0;
}

}  // namespace rsr::cli
