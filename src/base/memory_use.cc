#include "base/memory_use.h"

#include <unistd.h>

#include <fstream>
#include <limits>
#include <string>

namespace rsr::base {

// Not getrusage(): what a large process starts inherits that one's peak there.
int64_t peak_resident_bytes() {
  std::ifstream file("/proc/self/status");
  std::string word;
  while (file >> word) {
    if (word != "VmHWM:") continue;
    int64_t kilobytes = 0;
    return file >> kilobytes ? kilobytes * 1024 : 0;
  }
  return 0;
}

int64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  int64_t all = 0;
  int64_t resident = 0;
  return file >> all >> resident ? resident * ::sysconf(_SC_PAGESIZE) : 0;
}

int64_t available_memory_bytes() {
  std::ifstream file("/proc/meminfo");
  std::string name;
  int64_t kilobytes = 0;
  while (file >> name >> kilobytes) {
    if (name == "MemAvailable:") return kilobytes * 1024;
    file.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  return 0;
}

}  // namespace rsr::base
