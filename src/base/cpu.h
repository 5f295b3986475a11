// What this machine is: instruction sets, caches, and the cores this process may use.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "rsr/status.h"

namespace rsr::base {

/// Instruction sets that kernels are written for, the more useful the later.
enum class Isa {
  reference,   ///< portable C++
  avx2,        ///< with FMA and F16C
  avxvnni,     ///< avx2 and 256-bit dot products
  avx512bw,    ///< AVX-512 F, BW, VL, DQ
  avx512vnni,  ///< avx512bw and 512-bit dot products
  avx512vbmi,  ///< avx512vnni, byte permutes (VBMI) and GFNI
  amx          ///< avx512vbmi and int8 products of tiles (AMX-TILE, AMX-INT8)
};

inline constexpr Isa kAllIsas[] = {Isa::reference,  Isa::avx2,       Isa::avxvnni, Isa::avx512bw,
                                   Isa::avx512vnni, Isa::avx512vbmi, Isa::amx};

const char* isa_name(Isa isa);

/// True when kernels of `part` may run where `isa` was chosen. The sets are no ladder: a machine
/// with AVX-512 VNNI need not have AVX-VNNI, which encodes the same instruction differently.
constexpr bool isa_includes(Isa isa, Isa part) {
  if (part == Isa::avxvnni) return isa == Isa::avxvnni;
  return part <= isa && !(isa == Isa::avxvnni && part > Isa::avx2);
}

/// The instruction set of that name; an unknown name is an error that lists the known ones.
Result<Isa> isa_from_name(std::string_view name);

/// True when processor and operating system support the set. The first call asks Linux for the
/// permission to use tile registers, which from then on all threads of the process have.
bool has_isa(Isa isa);

/// The best set that the machine has.
Isa detect_isa();

/// The set that kernels are chosen for: `requested` when not empty, else the environment variable
/// RSR_FORCE_ISA, else detect_isa(). Errors: an unknown name, a set that this machine lacks.
Result<Isa> choose_isa(std::string_view requested);

/// The processors that this thread may run on, by number; empty when the system does not say.
std::vector<int> allowed_cpus();

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
