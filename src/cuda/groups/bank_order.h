// In which order the lanes of a slice look up their columns, so that those of a step lie in
// different banks of shared memory: two columns of one bank cost the warp two turns.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "cuda/groups/groups.h"

namespace rsr::cuda {

/// The columns that a lane of a slice adds up; at most kMostSteps.
struct LaneColumns {
  uint32_t pattern = 0;
  std::span<const uint16_t> columns;
};

/// Gives the steps of a slice one after the other. A bank with n columns needs n turns, so a slice
/// needs as many as its fullest bank or its steps, whichever is more. That is almost reached: the
/// first steps have two turns, and drain the banks that are too full; the others have one. In each
/// of them banks that must be served, and lanes that must move on, are matched by augmenting paths.
class BankOrder {
 public:
  /// At most kGroupLanes lanes; the zero of bank b is column zeros_at + b.
  BankOrder(std::span<const LaneColumns> lanes, int steps, int32_t zeros_at);

  using Step = std::array<uint16_t, kGroupLanes>;
  /// The columns of the next of `steps` steps.
  Step next();

 private:
  static constexpr int kNone = -1;
  struct Lane {
    std::array<uint16_t, kMostSteps> columns;     // by bank
    std::array<uint8_t, kGroupLanes> begin = {};  // those that are left of a bank
    std::array<uint8_t, kGroupLanes> end = {};
    uint32_t banks = 0;  // that have some left
    int left = 0;
    int chosen = kNone;  // the bank of this step
  };
  struct Bank {
    int left = 0;        // columns of all lanes
    uint32_t lanes = 0;  // that have chosen it in this step
  };

  void fill(Lane& lane, std::span<const uint16_t> columns);
  int turns_of_step() const;
  bool serve_bank(int bank, uint32_t& seen);
  bool serve_lane(int lane, int turns, uint32_t& seen);
  void choose(int lane, int bank);
  void match(int turns);
  uint16_t take(Lane& lane, int bank);

  std::array<Lane, kGroupLanes> lanes_;
  std::array<Bank, kGroupLanes> banks_;
  int steps_left_;
  int turns_left_ = 0;
  int32_t zeros_at_;
};

}  // namespace rsr::cuda
