// Ctrl-C as a question that can be asked.
#pragma once

namespace rsr::cli {

/// From now on the first SIGINT is only remembered; a second one ends the program as usual.
void catch_interrupt();

/// Whether SIGINT has come since catch_interrupt().
bool interrupted();

}  // namespace rsr::cli
