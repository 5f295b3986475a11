#include "engine/windows.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace rsr::engine {
namespace {

std::string text_of(const WindowPlan& plan) {
  std::string text;
  for (int64_t i = 0; i < plan.count(); ++i) {
    const Window w = plan.at(i);
    text += std::to_string(w.begin) + "-" + std::to_string(w.first) + "-" + std::to_string(w.end);
    text += " ";
  }
  return text;
}

TEST(Windows, Examples) {
  // As in the Hugging Face documentation: no ids before the text, windows of 4 every 2 tokens.
  EXPECT_EQ(text_of({.tokens = 9, .size = 4, .stride = 2}), "0-1-4 2-4-6 4-6-8 6-8-9 ");
  // One id before each window of 4 positions, no overlap.
  EXPECT_EQ(text_of({.tokens = 8, .size = 3, .stride = 3, .begin_ids = 1}), "0-0-3 3-3-6 6-6-8 ");
  // Without an overlap a lonely last token has nothing before it.
  EXPECT_EQ(text_of({.tokens = 9, .size = 4, .stride = 4}), "0-1-4 4-5-8 ");
  EXPECT_EQ(text_of({.tokens = 9, .size = 4, .stride = 4, .begin_ids = 1}), "0-0-4 4-4-8 8-8-9 ");
  EXPECT_EQ(text_of({.tokens = 4, .size = 4, .stride = 1}), "0-1-4 ");
  EXPECT_EQ(text_of({.tokens = 1, .size = 4, .stride = 1}), "");
  EXPECT_EQ(text_of({.tokens = 0, .size = 4, .stride = 1, .begin_ids = 1}), "");
}

/// How often each token of the text is predicted; windows are checked on the way.
std::vector<int> predictions(const WindowPlan& plan) {
  std::vector<int> times(static_cast<size_t>(plan.tokens));
  int64_t read = 0;
  for (int64_t i = 0; i < plan.count(); ++i) {
    const Window w = plan.at(i);
    EXPECT_EQ(w.begin, i * plan.stride);
    EXPECT_LT(w.first, w.end);
    EXPECT_GT(w.first + plan.begin_ids, w.begin);  // something stands before what is predicted
    EXPECT_LE(w.end - w.begin, plan.size);
    EXPECT_LE(w.end, plan.tokens);
    read += plan.read(w);
    for (int64_t t = w.first; t < w.end; ++t) ++times[static_cast<size_t>(t)];
  }
  EXPECT_EQ(read, plan.read());
  return times;
}

TEST(Windows, PredictEveryTokenOnce) {
  for (int64_t tokens = 1; tokens <= 30; ++tokens) {
    for (int64_t begin_ids = 0; begin_ids <= 2; ++begin_ids) {
      for (int64_t size = begin_ids == 0 ? 2 : 1; size <= 9; ++size) {
        for (int64_t stride = 1; stride <= size; ++stride) {
          const WindowPlan plan = {tokens, size, stride, begin_ids};
          const std::vector<int> times = predictions(plan);
          int64_t sum = 0;
          for (int64_t t = 0; t < tokens; ++t) {
            const bool is_alone = begin_ids == 0 && (stride == size ? t % size == 0 : t == 0);
            EXPECT_EQ(times[static_cast<size_t>(t)], is_alone ? 0 : 1)
                << t << " of " << tokens << ", windows " << text_of(plan);
            sum += times[static_cast<size_t>(t)];
          }
          EXPECT_EQ(plan.predicted(), sum);
        }
      }
    }
  }
}

}  // namespace
}  // namespace rsr::engine
