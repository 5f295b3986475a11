#include "engine/stop_strings.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace rsr::engine {
namespace {

std::vector<size_t> borders(const std::string& stop) {
  std::vector<size_t> border(stop.size());
  for (size_t i = 1; i < stop.size(); ++i) {
    size_t length = border[i - 1];
    while (length > 0 && stop[i] != stop[length]) length = border[length - 1];
    border[i] = length + (stop[i] == stop[length] ? 1 : 0);
  }
  return border;
}

}  // namespace

StopStrings::StopStrings(std::span<const std::string> stops) {
  for (const std::string& stop : stops) {
    RSR_CHECK(!stop.empty());
    matchers_.push_back({stop, borders(stop)});
  }
}

void StopStrings::Matcher::advance(char c) {
  while (matched > 0 && stop[matched] != c) matched = border[matched - 1];
  if (stop[matched] == c) ++matched;
}

std::string StopStrings::push(std::string_view piece) {
  if (found_) return {};
  for (const char c : piece) {
    held_ += c;
    size_t complete = 0;
    for (Matcher& matcher : matchers_) {
      matcher.advance(c);
      if (matcher.matched == matcher.stop.size()) complete = std::max(complete, matcher.matched);
    }
    if (complete == 0) continue;
    found_ = true;
    held_.resize(held_.size() - complete);
    return std::exchange(held_, {});
  }
  size_t undecided = 0;
  for (const Matcher& matcher : matchers_) undecided = std::max(undecided, matcher.matched);
  std::string decided = held_.substr(0, held_.size() - undecided);
  held_.erase(0, decided.size());
  return decided;
}

std::string StopStrings::finish() {
  return std::exchange(held_, {});
}

}  // namespace rsr::engine
