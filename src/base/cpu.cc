#include "base/cpu.h"

#include <cpuid.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>

#include "base/check.h"

namespace rsr::base {
namespace {

/// First line of a small system file, empty when it cannot be read.
std::string first_line(const std::string& path) {
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  return line;
}

/// This process's cgroup path for version 2 ("0::/path"), or for the version 1 controller "cpu".
std::string cgroup_path(bool v2) {
  std::ifstream in("/proc/self/cgroup");
  for (std::string line; std::getline(in, line);) {
    const size_t a = line.find(':');
    const size_t b = line.find(':', a + 1);
    if (a == std::string::npos || b == std::string::npos) continue;
    const std::string controllers = "," + line.substr(a + 1, b - a - 1) + ",";
    if (v2 ? controllers == ",," : controllers.find(",cpu,") != std::string::npos) {
      return line.substr(b + 1);
    }
  }
  return "/";
}

/// Smallest limit in cores of the cgroup and its ancestors; 0: none.
int cgroup_cores() {
  int best = 0;
  const auto keep = [&](int cores) {
    if (cores > 0) best = best == 0 ? cores : std::min(best, cores);
  };
  for (std::string path = cgroup_path(true);; path = path.substr(0, path.rfind('/'))) {
    std::istringstream line(first_line("/sys/fs/cgroup" + path + "/cpu.max"));
    std::string quota;
    int64_t period = 0;
    if (line >> quota >> period && quota != "max")
      keep(cores_of_quota(std::atoll(quota.c_str()), period));
    if (path.empty() || path == "/") break;
  }
  for (const std::string& path : {cgroup_path(false), std::string()}) {
    const std::string base = "/sys/fs/cgroup/cpu" + path;
    keep(cores_of_quota(std::atoll(first_line(base + "/cpu.cfs_quota_us").c_str()),
                        std::atoll(first_line(base + "/cpu.cfs_period_us").c_str())));
  }
  return best;
}

}  // namespace

const char* isa_name(Isa isa) {
  switch (isa) {
    case Isa::reference:
      return "reference";
    case Isa::avx2:
      return "avx2";
    case Isa::avxvnni:
      return "avxvnni";
    case Isa::avx512bw:
      return "avx512bw";
    case Isa::avx512vnni:
      return "avx512vnni";
    case Isa::avx512vbmi:
      return "avx512vbmi";
    case Isa::amx:
      return "amx";
  }
  return "?";
}

Result<Isa> isa_from_name(std::string_view name) {
  std::string known;
  for (const Isa isa : kAllIsas) {
    if (name == isa_name(isa)) return isa;
    known += (known.empty() ? "" : ", ") + std::string(isa_name(isa));
  }
  return error(ErrorCode::invalid_argument, "unknown instruction set \"", name,
               "\"; known are: ", known);
}

namespace {

/// Registers of CPUID, for what clang's __builtin_cpu_supports does not know before version 16.
struct Cpuid {
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  Cpuid(unsigned leaf, unsigned subleaf) {
    if (__get_cpuid_count(leaf, subleaf, &eax, &ebx, &ecx, &edx) == 0) *this = Cpuid();
  }

 private:
  Cpuid() = default;
};

bool has_f16c() {
  return (Cpuid(1, 0).ecx & bit_F16C) != 0;
}

/// The VEX form of the dot product: CPUID leaf 7, subleaf 1, EAX bit 4.
bool has_avxvnni() {
  return (Cpuid(7, 1).eax & 1u << 4) != 0;
}

bool has_avx512bw() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}

/// The registers that the system saves for a process: XCR0. Only where CPUID says OSXSAVE, which
/// every test for AVX asks first.
uint64_t saved_registers() {
  uint32_t low = 0;
  uint32_t high = 0;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t{high} << 32 | low;
}

/// Tiles with int8 products. Linux keeps their eight KiB of registers from a process until it asks
/// (since 5.16); older kernels and a sandbox that forbids the question say no.
bool has_amx() {
  constexpr unsigned kTile = 1u << 24;  // CPUID leaf 7, EDX
  constexpr unsigned kInt8 = 1u << 25;
  constexpr uint64_t kTileState = uint64_t{3} << 17;  // XCR0: TILECFG, TILEDATA
  constexpr int kRequestPermission = 0x1023;          // ARCH_REQ_XCOMP_PERM of <asm/prctl.h>
  constexpr int kTileData = 18;
  if ((Cpuid(7, 0).edx & (kTile | kInt8)) != (kTile | kInt8)) return false;
  if ((saved_registers() & kTileState) != kTileState) return false;
  return ::syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

bool ask_processor(Isa isa) {
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
  switch (isa) {
    case Isa::reference:
      return true;
    case Isa::avx2:
      return avx2;
    case Isa::avxvnni:
      return avx2 && has_avxvnni();
    case Isa::avx512bw:
      return avx2 && has_avx512bw();
    case Isa::avx512vnni:
      return ask_processor(Isa::avx512bw) && __builtin_cpu_supports("avx512vnni");
    case Isa::avx512vbmi:
      return ask_processor(Isa::avx512vnni) && __builtin_cpu_supports("avx512vbmi") &&
             __builtin_cpu_supports("gfni");
    case Isa::amx:
      return ask_processor(Isa::avx512vbmi) && has_amx();
  }
  return false;
}

}  // namespace

bool has_isa(Isa isa) {
  // Asked once: in a virtual machine each CPUID leaves it, which takes tens of microseconds.
  static const auto kHas = [] {
    std::array<bool, std::size(kAllIsas)> has{};
    for (const Isa one : kAllIsas) has[static_cast<size_t>(one)] = ask_processor(one);
    return has;
  }();
  return kHas[static_cast<size_t>(isa)];
}

Isa detect_isa() {
  Isa best = Isa::reference;
  for (const Isa isa : kAllIsas) {
    if (has_isa(isa)) best = isa;
  }
  return best;
}

Result<Isa> choose_isa(std::string_view requested) {
  std::string name(requested);
  const char* source = "isa";
  if (name.empty()) {
    if (const char* forced = std::getenv("RSR_FORCE_ISA"); forced != nullptr && *forced != '\0') {
      name = forced;
      source = "RSR_FORCE_ISA";
    }
  }
  if (name.empty()) return detect_isa();
  auto isa = isa_from_name(name);
  if (!isa.ok()) return isa.status().with_context(source);
  if (!has_isa(*isa)) {
    return error(ErrorCode::unsupported, source, ": this machine does not have \"", name,
                 "\"; its best is \"", isa_name(detect_isa()), "\"");
  }
  return isa;
}

int cores_of_quota(int64_t quota, int64_t period) {
  if (quota <= 0 || period <= 0) return 0;
  return static_cast<int>(std::min<int64_t>((quota + period - 1) / period, 1 << 20));
}

std::vector<int> allowed_cpus() {
  // 8,192 processors: a fixed cpu_set_t holds 1,024 only, and the call fails on larger machines.
  constexpr int kMaxCpus = 8192;
  constexpr size_t kBytes = CPU_ALLOC_SIZE(kMaxCpus);
  std::vector<int> cpus;
  cpu_set_t* set = CPU_ALLOC(kMaxCpus);
  if (set == nullptr) return cpus;
  if (::sched_getaffinity(0, kBytes, set) == 0) {
    for (int cpu = 0; cpu < kMaxCpus; ++cpu) {
      if (CPU_ISSET_S(static_cast<size_t>(cpu), kBytes, set)) cpus.push_back(cpu);
    }
  }
  CPU_FREE(set);
  return cpus;
}

int usable_cores() {
  const auto allowed = static_cast<int>(allowed_cpus().size());
  const int cores = allowed > 0 ? allowed : static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN));
  const int quota = cgroup_cores();
  return std::max(1, quota > 0 ? std::min(cores, quota) : cores);
}

std::string cpu_name() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);) {
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  }
  return "unknown processor";
}

int64_t last_level_cache_bytes() {
  int64_t bytes = 0;
  for (const int name : {_SC_LEVEL2_CACHE_SIZE, _SC_LEVEL3_CACHE_SIZE, _SC_LEVEL4_CACHE_SIZE}) {
    bytes = std::max<int64_t>(bytes, ::sysconf(name));
  }
  return bytes > 0 ? bytes : int64_t{32} << 20;
}

}  // namespace rsr::base
