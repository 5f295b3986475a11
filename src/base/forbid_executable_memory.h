// For tests: a process as it is on hardened systems.
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <iterator>

namespace rsr::base {

/// From now on this process may make no memory executable, as hardened systems have it.
inline bool forbid_executable_memory() {
  constexpr auto kArguments = static_cast<uint32_t>(offsetof(seccomp_data, args));
  sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<uint32_t>(offsetof(seccomp_data, nr))),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kArguments + 2 * sizeof(uint64_t)),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const sock_fprog program{std::size(filter), filter};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/// Whether `check` holds in a child process that may make no memory executable. The calling process
/// should have one thread.
enum class Verdict { holds, fails, cannot_tell };
template <class Check>
Verdict without_executable_memory(const Check& check) {
  const pid_t child = fork();
  if (child == 0) {
    if (!forbid_executable_memory()) _exit(2);
    _exit(check() ? 0 : 1);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status)) return Verdict::fails;
  const int code = WEXITSTATUS(status);
  return code == 0 ? Verdict::holds : code == 2 ? Verdict::cannot_tell : Verdict::fails;
}

}  // namespace rsr::base
