// A checksum of bytes: against accidents (a flipped bit, a lost block), not against forgers.
//
// It sees the bytes as little-endian 64-bit words, the last one padded with zeros; word i goes to
// lane i % 4: lane = rotate_left((lane ^ word) * 0x9E3779B97F4A7C15, 29), lanes beginning with 1,
// 2, 3, 4. At the end h = number of bytes, and for each lane in order the same step with the lane
// as word. Each step is reversible, so that a change of one word is always seen.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace rsr::base {

inline constexpr size_t kNoHole = SIZE_MAX;

/// The checksum; about as fast as memory is read. `hole`, a multiple of 8, is the place of 8 bytes
/// that are taken as zeros: where the checksum itself is kept.
uint64_t checksum(std::span<const std::byte> bytes, size_t hole = kNoHole);

/// The same checksum of bytes that come in pieces.
class PiecewiseChecksum {
 public:
  void add(std::span<const std::byte> bytes);
  /// Of all bytes so far.
  uint64_t value() const;

 private:
  static constexpr size_t kBlock = 32;
  std::array<uint64_t, 4> lanes_ = {1, 2, 3, 4};
  std::array<std::byte, kBlock> rest_ = {};  // its first size_ % kBlock bytes wait for a block
  uint64_t size_ = 0;
};

}  // namespace rsr::base
