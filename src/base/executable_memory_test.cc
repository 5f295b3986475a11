#include "base/executable_memory.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "base/forbid_executable_memory.h"

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
  const Verdict verdict = without_executable_memory([] {
    const auto memory = ExecutableMemory::create(kFortyTwo);
    return !memory.ok() &&
           memory.status().message().find("does not let a program make code") != std::string::npos;
  });
  if (verdict == Verdict::cannot_tell) GTEST_SKIP() << "no seccomp here";
  EXPECT_EQ(verdict, Verdict::holds);
}

}  // namespace
}  // namespace rsr::base
