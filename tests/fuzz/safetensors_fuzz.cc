// Tensors of an accepted file lie one behind the other and fill it, have the bytes that their
// shapes ask for, and read the same through the file as through the header alone.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "fuzz.h"
#include "io/safetensors.h"

namespace {

using Tensors = std::map<std::string, rsr::io::Tensor, std::less<>>;

void check_tensors(const Tensors& tensors) {
  std::vector<std::pair<const std::byte*, size_t>> places;
  for (const auto& [name, tensor] : tensors) {
    FUZZ_CHECK(name == tensor.name && tensor.elements() >= 0);
    if (!tensor.data.empty()) places.emplace_back(tensor.data.data(), tensor.data.size());
    const auto floats = rsr::io::to_floats(tensor);
    FUZZ_CHECK(!floats.ok() || static_cast<int64_t>(floats->size()) == tensor.elements());
  }
  std::sort(places.begin(), places.end());
  for (size_t i = 1; i < places.size(); ++i) {
    FUZZ_CHECK(places[i - 1].first + places[i - 1].second == places[i].first);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const int fd = ::memfd_create("safetensors_fuzz", 0);
  if (fd < 0 || ::ftruncate(fd, 0) != 0) return 0;
  if (::pwrite(fd, data, size, 0) != static_cast<ssize_t>(size)) return 0;
  const auto file = rsr::io::SafetensorsFile::open("/proc/self/fd/" + std::to_string(fd));
  if (file.ok()) check_tensors(file->tensors());

  // The same bytes as a header and its data, where no length in front has to be guessed right.
  const auto [header, rest] = rsr::fuzz::cut_at_zero(data, size);
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(rest.data()),
                                         rest.size());
  std::map<std::string, std::string, std::less<>> metadata;
  const auto tensors = rsr::io::parse_safetensors_header(header, bytes, &metadata);
  if (!tensors.ok()) return 0;
  check_tensors(*tensors);
  size_t total = 0;
  for (const auto& [name, tensor] : *tensors) total += tensor.data.size();
  FUZZ_CHECK(total == bytes.size());
  return 0;
}
