// Ends a stream of text where a stop string begins, however the text is cut into pieces.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rsr::engine {

/// Passes text through, but holds back what may be the beginning of a stop string until it is
/// decided. The stop string that is complete first ends the text (the longest of those that end at
/// the same byte); neither it nor what follows is passed on. What comes out depends on the text
/// only, not on its pieces.
class StopStrings {
 public:
  /// Strings of at least one byte.
  explicit StopStrings(std::span<const std::string> stops);

  /// The text that is decided by now. Whole characters, when pieces and stop strings are.
  std::string push(std::string_view piece);

  /// The text that was still held back when no more can come.
  std::string finish();

  /// A stop string was found; the text has ended.
  bool found() const { return found_; }

 private:
  /// One stop string, matched as Knuth, Morris and Pratt do: constant work per byte on average,
  /// whatever repeats in it.
  struct Matcher {
    std::string stop;
    std::vector<size_t> border;  // of stop[0, i]: length of the longest proper prefix at its end
    size_t matched = 0;          // how much of `stop` the text's end is

    void advance(char c);
  };

  std::vector<Matcher> matchers_;
  std::string held_;
  bool found_ = false;
};

}  // namespace rsr::engine
