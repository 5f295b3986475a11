#include "engine/stop_strings.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "engine/reply.h"

namespace rsr::engine {
namespace {

using Strings = std::vector<std::string>;

TEST(StopStrings, HoldBackWhatIsUndecided) {
  const Strings stops = {"END"};
  StopStrings text(stops);
  EXPECT_EQ(text.push("one E"), "one ");
  EXPECT_EQ(text.push("N"), "");
  EXPECT_EQ(text.push("T"), "ENT");
  EXPECT_EQ(text.push("E"), "");
  EXPECT_EQ(text.push("E"), "E");
  EXPECT_EQ(text.finish(), "E");
  EXPECT_FALSE(text.found());
}

TEST(StopStrings, EndTheTextAcrossPieces) {
  const Strings stops = {"END"};
  StopStrings text(stops);
  EXPECT_EQ(text.push("one E"), "one ");
  EXPECT_EQ(text.push("N"), "");
  EXPECT_EQ(text.push("D and more"), "");
  EXPECT_TRUE(text.found());
  EXPECT_EQ(text.push("x"), "");
  EXPECT_EQ(text.finish(), "");
}

TEST(StopStrings, FirstCompleteWins) {
  const auto before = [](const Strings& stops, const std::string& all) {
    StopStrings text(stops);
    return text.push(all);
  };
  EXPECT_EQ(before({"abcd", "bc"}, "xabcd"), "xa");
  EXPECT_EQ(before({"bc", "abc"}, "xabcd"), "x");  // both end at c: the longer one
  EXPECT_EQ(before({"ab", "abc"}, "xabcd"), "x");
  EXPECT_EQ(before({"aab"}, "aaab"), "a");
  EXPECT_EQ(before({"abab!", "bb"}, "ababab!"), "ab");
}

TEST(StopStrings, NoneLetEverythingThrough) {
  StopStrings text({});
  EXPECT_EQ(text.push("a"), "a");
  EXPECT_EQ(text.push(""), "");
  EXPECT_EQ(text.finish(), "");
}

/// The text up to the stop string that is complete first, by searching every beginning.
std::string plain(const Strings& stops, const std::string& all) {
  for (size_t end = 1; end <= all.size(); ++end) {
    size_t longest = 0;
    for (const std::string& stop : stops) {
      if (all.substr(0, end).ends_with(stop)) longest = std::max(longest, stop.size());
    }
    if (longest > 0) return all.substr(0, end - longest);
  }
  return all;
}

TEST(StopStrings, EqualThePlainSearchHoweverTheTextIsCut) {
  std::mt19937 random(7);
  const auto word = [&](size_t length) {
    std::string letters;
    for (size_t i = 0; i < length; ++i) letters += static_cast<char>('a' + random() % 2);
    return letters;
  };
  for (int round = 0; round < 3000; ++round) {
    Strings stops;
    for (size_t i = 0; i <= random() % 3; ++i) stops.push_back(word(1 + random() % 7));
    const std::string all = word(random() % 40);
    StopStrings text(stops);
    std::string out;
    for (size_t at = 0; at < all.size();) {
      const size_t count = 1 + random() % 4;
      out += text.push(all.substr(at, count));
      // Never more than what is decided: a prefix of the result.
      ASSERT_TRUE(plain(stops, all).starts_with(out)) << all;
      at += count;
    }
    out += text.finish();
    ASSERT_EQ(out, plain(stops, all)) << all;
  }
}

TEST(Reply, StopsAtACharacterThatTokensDivide) {
  const Strings stops = {"\u00e9\u00e8"};  // c3 a9 c3 a8
  std::string passed;
  const TextCallback on_text = [&](std::string_view piece) {
    passed += piece;
    return true;
  };
  Reply reply(stops, on_text);
  for (const char* bytes : {"a\xc3", "\xa9", "\xc3", "\xa9\xc3", "\xa8z"}) reply.push(bytes);
  EXPECT_TRUE(reply.stopped());
  reply.finish();
  EXPECT_EQ(passed, "a\u00e9");
  EXPECT_EQ(reply.text(), passed);
}

TEST(Reply, PassesOnWhatWasHeldAtTheEnd) {
  const Strings stops = {"ab"};
  std::string passed;
  const TextCallback on_text = [&](std::string_view piece) {
    passed += piece;
    return true;
  };
  Reply reply(stops, on_text);
  reply.push("xa");
  EXPECT_EQ(passed, "x");
  reply.finish();
  EXPECT_EQ(passed, "xa");
  Reply cut({}, on_text);
  cut.push("\xe2\x82");
  cut.finish();
  EXPECT_EQ(cut.text(), "\ufffd");
}

}  // namespace
}  // namespace rsr::engine
