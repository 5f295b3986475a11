// Ctrl-C as a question that can be asked.
#pragma once

namespace rsr::cli {

/// From now on the first SIGINT is only remembered; a second one ends the program as usual.
void catch_interrupt();

/// From now on every SIGINT is remembered, and ends a wait for input.
void catch_every_interrupt();

/// SIGINT does again what it did before catch_interrupt().
void release_interrupt();

/// Whether SIGINT has come since the latest of catch_interrupt() and forget_interrupt().
bool interrupted();

void forget_interrupt();

}  // namespace rsr::cli
