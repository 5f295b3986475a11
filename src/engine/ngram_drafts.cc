#include "engine/ngram_drafts.h"

#include <algorithm>

namespace rsr::engine {
namespace {

// A single token that occurred before says too little about what follows.
constexpr int64_t kLeastMatch = 2;
// Beyond this a longer match says no more.
constexpr int64_t kMostMatch = 16;

constexpr double kForget = 0.95;  // per trial: about the last twenty count
constexpr int64_t kPause = 8;

// Time of a pass over a token and so many guesses, the pass over a token alone being 1: about the
// mean of what `rsr bench model` gives for models of 2 and 10 billion weights
// (docs/speculation.md).
constexpr double kCost[NgramDrafts::kMost + 1] = {1, 1.15, 1.3, 1.55, 1.7, 1.9, 2.1, 2.35};

/// How many tokens before `a` and before `b` are the same.
int64_t common_end(std::span<const int32_t> ids, int64_t a, int64_t b) {
  const int64_t most = std::min({a, b, kMostMatch});
  int64_t n = 0;
  while (n < most && ids[static_cast<size_t>(a - n - 1)] == ids[static_cast<size_t>(b - n - 1)]) {
    ++n;
  }
  return n;
}

/// Where the text went on after the best match of its end; 0: there is none.
int64_t find_match(std::span<const int32_t> ids) {
  const auto end = static_cast<int64_t>(ids.size());
  int64_t best = 0;
  int64_t longest = kLeastMatch - 1;
  for (int64_t at = end - 1; at >= kLeastMatch && longest < kMostMatch; --at) {
    if (ids[static_cast<size_t>(at - 1)] != ids.back()) continue;
    const int64_t length = common_end(ids, at, end);
    if (length > longest) {
      longest = length;
      best = at;
    }
  }
  return best;
}

}  // namespace

/// The number of guesses that brings most tokens per time at the present rate of hits.
int64_t NgramDrafts::worthwhile() {
  const double rate = (hits_ + 1) / (trials_ + 2);
  int64_t best = 0;
  double most = 1;
  double tokens = 1;  // that a pass is expected to bring
  double all_right = 1;
  for (int64_t count = 1; count <= kMost; ++count) {
    all_right *= rate;
    tokens += all_right;
    const double speed = tokens / kCost[count];
    if (speed <= most) continue;
    most = speed;
    best = count;
  }
  if (best == 0) return ++pauses_ % kPause == 0 ? 1 : 0;  // the text may have changed
  return best;
}

/// From what became of the last guess: the tokens that were confirmed, and the first that was not.
void NgramDrafts::learn() {
  for (int64_t i = 0; i < std::min(guessed_, confirmed_ + 1); ++i) {
    trials_ = kForget * trials_ + 1;
    hits_ = kForget * hits_ + (i < confirmed_ ? 1 : 0);
  }
}

std::span<const int32_t> NgramDrafts::guess(std::span<const int32_t> ids, int64_t most) {
  learn();
  guessed_ = confirmed_ = 0;
  if (most <= 0) return {};
  const int64_t from = find_match(ids);
  if (from == 0) return {};
  guessed_ = std::min(worthwhile(), most);
  all_guessed_ += guessed_;
  // Behind the end of the text the guess goes on from itself, as in a loop.
  const auto known = static_cast<int64_t>(ids.size()) - from;
  for (int64_t i = 0; i < guessed_; ++i) {
    tokens_[static_cast<size_t>(i)] =
        i < known ? ids[static_cast<size_t>(from + i)] : tokens_[static_cast<size_t>(i - known)];
  }
  return std::span(tokens_).first(static_cast<size_t>(guessed_));
}

bool NgramDrafts::confirm(int32_t id) {
  if (confirmed_ == guessed_ || tokens_[static_cast<size_t>(confirmed_)] != id) return false;
  ++confirmed_;
  ++all_confirmed_;
  return true;
}

}  // namespace rsr::engine
