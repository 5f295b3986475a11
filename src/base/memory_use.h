// How much memory this process has taken, and how much there is to take.
#pragma once

#include <cstdint>

namespace rsr::base {

/// The most memory that this process has had resident so far, mapped files included.
int64_t peak_resident_bytes();

/// What it has resident now; 0 when the system does not say.
int64_t resident_bytes();

/// What the system thinks can be allocated without swapping; 0 when it does not say.
int64_t available_memory_bytes();

}  // namespace rsr::base
