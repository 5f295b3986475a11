// Does every kernel work on this machine? A processor (or a virtual machine) that advertises an
// instruction set, and then faults or miscomputes, must be found before it spoils an answer.
#pragma once

#include <chrono>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/cpu.h"

namespace rsr::linear {

/// One kernel and what to try with it. A trial runs the kernel on prepared memory and says whether
/// the result is right; it runs in a child process and must neither allocate nor lock.
struct SelftestCase {
  std::string kernel;
  std::vector<std::function<bool()>> trials;
};

enum class Verdict {
  right,
  wrong,   ///< a result differs from the reference
  fault,   ///< a signal ended the child
  hang,    ///< it took longer than the limit
  unknown  ///< no child process could be made, or its end was not reported
};
const char* verdict_name(Verdict verdict);

struct SelftestResult {
  std::string kernel;
  Verdict verdict = Verdict::unknown;
  int signal = 0;  ///< of a fault

  /// True for wrong, fault and hang: the kernel must not run here.
  bool failed() const { return verdict != Verdict::right && verdict != Verdict::unknown; }
};

/// Runs every case in a child process of its own. `limit` is processor time, so that a busy machine
/// makes no kernel look hung; ten times as much of the clock ends a child that sleeps.
std::vector<SelftestResult> selftest(std::span<const SelftestCase> cases,
                                     std::chrono::milliseconds limit = std::chrono::seconds(5));

/// The kernels of all operations whose instruction set this machine claims to have, with what the
/// reference (or plain sums, where integers are exact) says about small odd shapes.
std::vector<SelftestCase> kernel_cases();

/// "matvec_t2_i8_avx2 faulted in the self-test (signal 4, illegal instruction); it is not used."
std::string selftest_sentence(const SelftestResult& result);

/// What failed on this machine: from the record in the cache directory when it fits this processor
/// and library, else tried now and recorded. Once per process.
const std::vector<SelftestResult>& machine_failures();

/// Names of the kernels of machine_failures() for KernelSet; none for Isa::reference, which needs
/// no kernel that could fail, and then nothing is tried.
std::vector<std::string> disabled_kernels(base::Isa isa);
/// The sentences of machine_failures(), none for Isa::reference.
std::vector<std::string> selftest_warnings(base::Isa isa);

}  // namespace rsr::linear
