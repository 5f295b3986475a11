#include "base/checksum.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

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

uint64_t checksum(std::span<const std::byte> bytes, size_t hole) {
  PiecewiseChecksum sum;
  if (hole < bytes.size()) {
    constexpr std::array<std::byte, kWord> kZeros = {};
    const size_t size = std::min(kWord, bytes.size() - hole);
    sum.add(bytes.first(hole));
    sum.add(std::span(kZeros).first(size));
    bytes = bytes.subspan(hole + size);
  }
  sum.add(bytes);
  return sum.value();
}

void PiecewiseChecksum::add(std::span<const std::byte> bytes) {
  const size_t waiting = size_ % kBlock;
  size_ += bytes.size();
  if (waiting > 0) {
    const size_t size = std::min(kBlock - waiting, bytes.size());
    std::copy_n(bytes.begin(), size, rest_.begin() + static_cast<ptrdiff_t>(waiting));
    if (waiting + size < kBlock) return;
    bytes = bytes.subspan(size);
    add_block(rest_.data(), &lanes_);
  }
  // A copy, which the bytes cannot be: lanes stay in registers.
  std::array<uint64_t, kLanes> lanes = lanes_;
  for (; bytes.size() >= kBlock; bytes = bytes.subspan(kBlock)) add_block(bytes.data(), &lanes);
  lanes_ = lanes;
  std::copy(bytes.begin(), bytes.end(), rest_.begin());
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
