#include "cuda/groups/bank_order.h"

#include <algorithm>
#include <bit>

#include "base/check.h"

namespace rsr::cuda {
namespace {

constexpr uint32_t bit(int i) {
  return uint32_t{1} << i;
}

/// Calls visit(i) for every bit of a set until one says true; whether one did.
template <class Visit>
bool any_bit(uint32_t set, const Visit& visit) {
  for (; set != 0; set &= set - 1) {
    if (visit(std::countr_zero(set))) return true;
  }
  return false;
}

}  // namespace

BankOrder::BankOrder(std::span<const LaneColumns> lanes, int steps, int32_t zeros_at)
    : steps_left_(steps), turns_left_(steps), zeros_at_(zeros_at) {
  RSR_CHECK(lanes.size() <= kGroupLanes && steps <= kMostSteps);
  for (size_t l = 0; l < lanes.size(); ++l) fill(lanes_[l], lanes[l].columns);
  for (const Bank& bank : banks_) turns_left_ = std::max(turns_left_, bank.left);
}

void BankOrder::fill(Lane& lane, std::span<const uint16_t> columns) {
  RSR_CHECK(columns.size() <= static_cast<size_t>(steps_left_));
  for (const uint16_t c : columns) ++lane.end[c % kGroupLanes];
  uint8_t place = 0;
  for (int b = 0; b < kGroupLanes; ++b) {
    const uint8_t count = lane.end[b];
    lane.begin[b] = lane.end[b] = place;
    place = static_cast<uint8_t>(place + count);
    banks_[b].left += count;
    if (count > 0) lane.banks |= bit(b);
  }
  for (const uint16_t c : columns) lane.columns[lane.end[c % kGroupLanes]++] = c;
  lane.left = place;
}

/// One, unless there are more turns to come than steps.
int BankOrder::turns_of_step() const {
  const int more = turns_left_ - steps_left_;
  return more == 0 ? 1 : 1 + (more + steps_left_ - 1) / steps_left_;
}

void BankOrder::choose(int lane, int bank) {
  if (lanes_[lane].chosen != kNone) banks_[lanes_[lane].chosen].lanes &= ~bit(lane);
  lanes_[lane].chosen = bank;
  banks_[bank].lanes |= bit(lane);
}

/// Finds one more lane for a bank. A lane that has chosen already may be called away from a bank
/// that finds another one in turn.
bool BankOrder::serve_bank(int bank, uint32_t& seen) {
  uint32_t free = 0;
  uint32_t others = 0;
  for (int l = 0; l < kGroupLanes; ++l) {
    const Lane& lane = lanes_[l];
    if ((lane.banks & bit(bank)) == 0 || lane.chosen == bank) continue;
    (lane.chosen == kNone ? free : others) |= bit(l);
  }
  if (free != 0) {
    choose(std::countr_zero(free), bank);
    return true;
  }
  return any_bit(others, [&](int l) {
    const int before = lanes_[l].chosen;
    if ((seen & bit(before)) != 0) return false;
    seen |= bit(before);
    choose(l, bank);  // so that `before` does not get it again
    if (serve_bank(before, seen)) return true;
    choose(l, before);
    return false;
  });
}

/// Finds a bank for a lane, the one with most columns left; or one whose lane can go elsewhere.
bool BankOrder::serve_lane(int lane, int turns, uint32_t& seen) {
  int best = kNone;
  any_bit(lanes_[lane].banks, [&](int b) {
    const bool open = std::popcount(banks_[b].lanes) < turns;
    if (open && (best == kNone || banks_[b].left > banks_[best].left)) best = b;
    return false;
  });
  if (best != kNone) {
    choose(lane, best);
    return true;
  }
  return any_bit(lanes_[lane].banks & ~seen, [&](int b) {
    seen |= bit(b);
    return any_bit(banks_[b].lanes, [&](int other) {
      if (!serve_lane(other, turns, seen)) return false;
      choose(lane, b);
      return true;
    });
  });
}

void BankOrder::match(int turns) {
  for (Lane& lane : lanes_) lane.chosen = kNone;
  for (Bank& bank : banks_) bank.lanes = 0;
  for (int b = 0; b < kGroupLanes; ++b) {
    const int must = banks_[b].left - (turns_left_ - turns);
    for (int i = 0; i < must; ++i) {
      uint32_t seen = bit(b);
      if (!serve_bank(b, seen)) break;
    }
  }
  for (const bool late : {true, false}) {  // lanes without time to lose first
    for (int l = 0; l < kGroupLanes; ++l) {
      const Lane& lane = lanes_[l];
      if (lane.chosen != kNone || lane.left == 0 || (lane.left == steps_left_) != late) continue;
      uint32_t seen = 0;
      serve_lane(l, turns, seen);
    }
  }
}

uint16_t BankOrder::take(Lane& lane, int bank) {
  const uint16_t column = lane.columns[lane.begin[bank]++];
  if (lane.begin[bank] == lane.end[bank]) lane.banks &= ~bit(bank);
  --lane.left;
  --banks_[bank].left;
  return column;
}

BankOrder::Step BankOrder::next() {
  const int turns = turns_of_step();
  match(turns);
  Step step{};
  uint32_t used = 0;
  for (int l = 0; l < kGroupLanes; ++l) {
    Lane& lane = lanes_[l];
    // No bank for a lane that cannot wait: then the step takes a turn more.
    if (lane.chosen == kNone && lane.left == steps_left_) {
      lane.chosen = std::countr_zero(lane.banks);
    }
    if (lane.chosen == kNone) continue;
    used |= bit(lane.chosen);
    step[l] = take(lane, lane.chosen);
  }
  // The others wait, or have ended: all with one zero, of a bank that is free.
  const int zero = zeros_at_ + (used == ~uint32_t{0} ? 0 : std::countr_one(used));
  for (int l = 0; l < kGroupLanes; ++l) {
    if (lanes_[l].chosen == kNone) step[l] = static_cast<uint16_t>(zero);
  }
  turns_left_ -= turns;
  --steps_left_;
  turns_left_ = std::max(turns_left_, steps_left_);
  return step;
}

}  // namespace rsr::cuda
