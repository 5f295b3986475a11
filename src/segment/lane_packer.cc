#include "segment/lane_packer.h"

#include <algorithm>

#include "segment/cell_forms.h"

namespace rsr::segment {

LanePacker::LanePacker(Alphabet alphabet, int k)
    : lanes_(lane_lines(alphabet, k) * kLanesOfLine),
      patterns_(static_cast<int>(pattern_count(alphabet, k))),
      zero_code_(alphabet == Alphabet::binary ? 0 : (patterns_ - 1) / 2) {
  for (int lane = 0; lane < lanes_; ++lane) {
    lanes_of_[lane_code(alphabet, k, lane)].push_back(static_cast<uint8_t>(lane));
  }
  // Codes add up like their patterns as long as every digit stays in the alphabet.
  const int lowest = alphabet == Alphabet::binary ? 0 : -1;
  for (int a = 0; a < patterns_; ++a) {
    for (int b = a + 1; b < patterns_; ++b) {  // a + a has digits of 2
      bool fits = a != zero_code_ && b != zero_code_;
      for (int r = 0; r < k; ++r) {
        const int digit = code_digit(alphabet, a, r) + code_digit(alphabet, b, r);
        fits = fits && digit >= lowest && digit <= 1;
      }
      const int sum = a + b - zero_code_;
      if (!fits || sum == zero_code_) continue;
      splits_[sum].push_back({static_cast<uint8_t>(a), static_cast<uint8_t>(b)});
    }
  }
}

void LanePacker::fill(int code, uint8_t slot) {
  uint8_t most = 0;
  bool placed = false;
  for (const uint8_t lane : lanes_of_[code]) {
    if (!placed && free_[lane] == most_free_[code]) {
      round_[kSlotsOfLane * lane + kSlotsOfLane - free_[lane]--] = slot;
      placed = true;
    }
    most = std::max(most, free_[lane]);
  }
  most_free_[code] = most;
}

bool LanePacker::place(int code, uint8_t slot) {
  if (most_free_[code] == 0) return false;
  fill(code, slot);
  return true;
}

// Of the pairs with a free slot each, the one whose fuller lane is emptiest: it leaves most choice.
const LanePacker::Split* LanePacker::best_split(int code) const {
  const Split* best = nullptr;
  int best_score = 0;
  for (const Split& split : splits_[code]) {
    const int a = most_free_[split.a];
    const int b = most_free_[split.b];
    const int score = a == 0 || b == 0 ? 0 : std::min(a, b) * 8 + a + b;
    if (score <= best_score) continue;
    best_score = score;
    best = &split;
  }
  return best;
}

bool LanePacker::place_in_two(int code, uint8_t slot) {
  const Split* split = best_split(code);
  if (split == nullptr) return false;
  fill(split->a, slot);
  fill(split->b, slot);
  return true;
}

bool LanePacker::place_in_three(int code, uint8_t slot) {
  for (const Split& split : splits_[code]) {
    for (const auto& [one, two] : {Split{split.a, split.b}, Split{split.b, split.a}}) {
      if (most_free_[one] == 0) continue;
      // The third part's own slot is not counted as one of the first two.
      --most_free_[one];
      const Split* rest = best_split(two);
      ++most_free_[one];
      if (rest == nullptr) continue;
      fill(one, slot);
      fill(rest->a, slot);
      fill(rest->b, slot);
      return true;
    }
  }
  return false;
}

// Fills a round with waiting columns and those from `next` to the window's end; returns the column
// to go on with.
int64_t LanePacker::fill_round(const uint8_t* codes, int64_t start, int64_t next, int64_t end) {
  free_.fill(kSlotsOfLane);
  most_free_.fill(kSlotsOfLane);
  hopeless_.fill(false);
  overfull_.clear();
  still_waiting_.clear();
  const auto add = [&](int64_t column) {
    if (codes[column] == zero_code_) return;
    if (!place(codes[column], static_cast<uint8_t>(column - start))) {
      overfull_.push_back(static_cast<uint16_t>(column));
    }
  };
  for (const uint16_t column : waiting_) add(column);
  for (; next < end; ++next) add(next);
  // Oldest first: the first column that stays behind is where the next window starts.
  for (const uint16_t column : overfull_) {
    const int code = codes[column];
    const auto slot = static_cast<uint8_t>(column - start);
    // Slots only become fewer: what failed once in a round fails for all columns like it.
    hopeless_[code] = hopeless_[code] || !(place_in_two(code, slot) || place_in_three(code, slot));
    if (hopeless_[code]) still_waiting_.push_back(column);
  }
  waiting_.swap(still_waiting_);
  return next;
}

void LanePacker::pack(const uint8_t* codes, int64_t width, std::vector<uint16_t>& starts,
                      std::vector<uint8_t>& slots) {
  const auto round_bytes = static_cast<size_t>(lanes_) * kSlotsOfLane;
  const int64_t last_start = std::max<int64_t>(0, width - kLaneWindow);
  waiting_.clear();
  int64_t next = 0;
  while (true) {
    while (waiting_.empty() && next < width && codes[next] == zero_code_) ++next;
    if (waiting_.empty() && next == width) return;
    // Every waiting column is in the window: they are fewer than 255 columns behind `next`.
    const int64_t start = std::min(waiting_.empty() ? next : waiting_.front(), last_start);
    starts.push_back(static_cast<uint16_t>(start));
    slots.resize(slots.size() + round_bytes, kNoColumn);
    round_ = slots.data() + slots.size() - round_bytes;
    next = fill_round(codes, start, next, std::min(width, start + kLaneWindow));
  }
}

}  // namespace rsr::segment
