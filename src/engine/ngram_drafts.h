// Speculation without a second model: what followed the last few tokens when they stood in the text
// before is guessed to follow again. The model then reads several tokens at once, which costs
// little more than one, and only guesses that it would have chosen itself stay.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace rsr::engine {

/// The guesses of one answer. The idea is prompt look-up decoding (Saxena, 2023).
class NgramDrafts {
 public:
  static constexpr int64_t kMost = 7;

  /// Up to `most` tokens that may follow `ids`, and no more than were worth it lately; none where
  /// the end of `ids` did not occur before. Of earlier places the one counts that shares the
  /// longest end with `ids`, the latest among equals. Valid until the next call.
  std::span<const int32_t> guess(std::span<const int32_t> ids, int64_t most);

  /// Whether the token that came next is the next one of the guess; then it is confirmed.
  bool confirm(int32_t id);

  /// How many tokens of the last guess are.
  int64_t confirmed() const { return confirmed_; }

  /// The same numbers of all guesses.
  int64_t all_guessed() const { return all_guessed_; }
  int64_t all_confirmed() const { return all_confirmed_; }

 private:
  void learn();
  int64_t worthwhile();

  std::array<int32_t, kMost> tokens_ = {};
  int64_t guessed_ = 0;
  int64_t confirmed_ = 0;
  int64_t all_guessed_ = 0;
  int64_t all_confirmed_ = 0;
  double trials_ = 0;  // guessed tokens that were compared, recent ones counting more
  double hits_ = 0;
  int64_t pauses_ = 0;
};

}  // namespace rsr::engine
