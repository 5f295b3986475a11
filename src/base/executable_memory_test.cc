#include "base/executable_memory.h"

#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace rsr::base {
namespace {

// mov eax, 42; ret
const std::vector<uint8_t> kFortyTwo = {0xB8, 42, 0, 0, 0, 0xC3};

int run(const ExecutableMemory& memory) {
  return reinterpret_cast<int (*)()>(reinterpret_cast<uintptr_t>(memory.data()))();
}

/// What the system lets a program do with the page at `address`: "r-xp".
std::string permissions(const void* address) {
  std::ifstream maps("/proc/self/maps");
  std::string line;
  while (std::getline(maps, line)) {
    std::istringstream in(line);
    uintptr_t begin = 0;
    uintptr_t end = 0;
    char dash = 0;
    std::string what;
    in >> std::hex >> begin >> dash >> end >> what;
    const auto at = reinterpret_cast<uintptr_t>(address);
    if (at >= begin && at < end) return what;
  }
  return {};
}

/// From now on this process may make no memory executable, as hardened systems have it.
bool forbid_executable_memory() {
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

TEST(ExecutableMemory, RunsAndCannotBeWritten) {
  auto memory = ExecutableMemory::create(kFortyTwo);
  ASSERT_TRUE(memory.ok()) << memory.status().message();
  EXPECT_EQ(run(*memory), 42);
  EXPECT_EQ(permissions(memory->data()), "r-xp");
  const ExecutableMemory moved = std::move(memory).value();
  EXPECT_EQ(run(moved), 42);
}

TEST(ExecutableMemory, OfNothing) {
  const auto memory = ExecutableMemory::create({});
  ASSERT_TRUE(memory.ok());
  EXPECT_EQ(memory->size(), 0u);
}

TEST(ExecutableMemory, SaysThatTheSystemForbidsIt) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    if (!forbid_executable_memory()) _exit(77);
    const auto memory = ExecutableMemory::create(kFortyTwo);
    const bool refused =
        !memory.ok() &&
        memory.status().message().find("does not let a program make code") != std::string::npos;
    _exit(refused ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "no seccomp here";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace rsr::base
