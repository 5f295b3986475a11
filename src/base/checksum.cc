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

/// Four words, one for each lane.
void add_block(const std::byte* bytes, std::array<uint64_t, kLanes>* lanes) {
  std::array<uint64_t, kLanes> words;
  std::memcpy(words.data(), bytes, sizeof words);
  for (size_t i = 0; i < kLanes; ++i) (*lanes)[i] = step((*lanes)[i], words[i]);
}

uint64_t finished(uint64_t size, const std::array<uint64_t, kLanes>& lanes) {
  uint64_t hash = size;
  for (const uint64_t lane : lanes) hash = step(hash, lane);
  return hash;
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
  return finished(bytes.size(), lanes);
}

void PiecewiseChecksum::add(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const size_t waiting = size_ % kBlock;
    const size_t size = std::min(kBlock - waiting, bytes.size());
    std::memcpy(rest_.data() + waiting, bytes.data(), size);
    size_ += size;
    bytes = bytes.subspan(size);
    if (size_ % kBlock == 0) add_block(rest_.data(), &lanes_);
    for (; size_ % kBlock == 0 && bytes.size() >= kBlock; bytes = bytes.subspan(kBlock)) {
      add_block(bytes.data(), &lanes_);
      size_ += kBlock;
    }
  }
}

uint64_t PiecewiseChecksum::value() const {
  std::array<uint64_t, kLanes> lanes = lanes_;
  const size_t waiting = size_ % kBlock;
  for (size_t i = 0; i * kWord < waiting; ++i) {
    uint64_t word = 0;
    std::memcpy(&word, rest_.data() + i * kWord, std::min(kWord, waiting - i * kWord));
    lanes[i] = step(lanes[i], word);
  }
  return finished(size_, lanes);
}

}  // namespace rsr::base
