// Inside build_lanes(): the columns of one cell into rounds (drawn in lane_groups.h).
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "segment/lane_groups.h"

namespace rsr::segment {

class LanePacker {
 public:
  LanePacker(Alphabet alphabet, int k);

  /// Appends the rounds of a cell. codes[width]: the number of each column's pattern.
  void pack(const uint8_t* codes, int64_t width, std::vector<uint16_t>& starts,
            std::vector<uint8_t>& slots);

  int zero_code() const { return zero_code_; }

 private:
  struct Split {
    uint8_t a;
    uint8_t b;
  };
  void fill(int code, uint8_t slot);
  bool place(int code, uint8_t slot);
  /// Into lanes whose patterns add up to `code`; a place in three has parts of its own in two.
  bool place_in_two(int code, uint8_t slot);
  bool place_in_three(int code, uint8_t slot);
  const Split* best_split(int code) const;
  int64_t fill_round(const uint8_t* codes, int64_t start, int64_t next, int64_t end);

  int lanes_;
  int patterns_;  // of the alphabet, with zero
  int zero_code_;
  std::array<std::vector<uint8_t>, 81> lanes_of_;
  std::array<std::vector<Split>, 81> splits_;
  std::array<uint8_t, kMaxLanes> free_{};  // slots of each lane
  std::array<uint8_t, 81> most_free_{};    // of the lanes of each pattern
  std::array<bool, 81> hopeless_{};        // patterns for which this round has no lanes left
  uint8_t* round_ = nullptr;               // lines of the round that is being filled
  std::vector<uint16_t> waiting_;          // columns without a slot, rising
  std::vector<uint16_t> still_waiting_;    // of this round
  std::vector<uint16_t> overfull_;         // columns of this round whose own lanes are full
};

}  // namespace rsr::segment
