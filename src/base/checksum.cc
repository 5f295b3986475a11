#include "base/checksum.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "base/check.h"

namespace rsr::base {
namespace {

constexpr size_t kWord = sizeof(uint64_t);
constexpr size_t kLanes = 4;

static_assert(std::endian::native == std::endian::little, "words are read as they lie");

uint64_t step(uint64_t lane, uint64_t word) {
  return std::rotl((lane ^ word) * 0x9E3779B97F4A7C15u, 29);
}

}  // namespace

uint64_t checksum(std::span<const uint8_t> bytes, size_t hole) {
  RSR_CHECK(hole == kNoHole || hole % kWord == 0);
  std::array<uint64_t, kLanes> lanes = {1, 2, 3, 4};
  constexpr size_t kBlock = kLanes * kWord;
  for (size_t at = 0; at < bytes.size(); at += kBlock) {
    std::array<uint64_t, kLanes> words = {};
    const size_t size = std::min(kBlock, bytes.size() - at);
    if (size == kBlock) {  // a constant size, which needs no call
      std::memcpy(words.data(), bytes.data() + at, kBlock);
    } else {
      std::memcpy(words.data(), bytes.data() + at, size);
    }
    if (hole - at < kBlock) words[(hole - at) / kWord] = 0;  // unsigned: false before the hole too
    const size_t count = (size + kWord - 1) / kWord;
    for (size_t i = 0; i < count; ++i) lanes[i] = step(lanes[i], words[i]);
  }
  uint64_t hash = bytes.size();
  for (const uint64_t lane : lanes) hash = step(hash, lane);
  return hash;
}

}  // namespace rsr::base
