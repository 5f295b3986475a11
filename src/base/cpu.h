// What this machine is: instruction sets, caches, and the cores this process may use.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "rsr/status.h"

namespace rsr::base {

/// Instruction sets that kernels are written for, weakest first. A machine that has one has all
/// before it.
enum class Isa { reference, avx2, avx512vnni };

inline constexpr Isa kAllIsas[] = {Isa::reference, Isa::avx2, Isa::avx512vnni};

const char* isa_name(Isa isa);

/// The instruction set of that name; an unknown name is an error that lists the known ones.
Result<Isa> isa_from_name(std::string_view name);

/// The strongest instruction set that processor and operating system support.
Isa detect_isa();

/// The set that kernels are chosen for: `requested` when not empty, else the environment variable
/// RSR_FORCE_ISA, else detect_isa(). Errors: an unknown name, a set that this machine lacks.
Result<Isa> choose_isa(std::string_view requested);

/// Cores that this process may really use: its affinity mask and its container's quota (cgroup
/// versions 1 and 2), at least 1.
int usable_cores();

/// The quota of a cgroup in cores, rounded up: `quota` microseconds of run time in each `period`.
/// Zero or negative numbers mean no limit, given as 0.
int cores_of_quota(int64_t quota, int64_t period);

/// The processor's name as the system gives it.
std::string cpu_name();

/// Bytes of the largest cache that a core can reach; 32 MiB when the system does not tell.
int64_t last_level_cache_bytes();

}  // namespace rsr::base
