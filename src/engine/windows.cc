#include "engine/windows.h"

#include <algorithm>

namespace rsr::engine {

Window WindowPlan::at(int64_t index) const {
  Window window;
  window.begin = index * stride;
  window.end = std::min(tokens, window.begin + size);
  const int64_t held = index == 0 ? 0 : std::min(tokens, window.begin - stride + size);
  // Without ids before it, a window's first token has nothing that it could be predicted from.
  window.first = std::max(held, window.begin + (begin_ids == 0 ? 1 : 0));
  return window;
}

int64_t WindowPlan::count() const {
  if (tokens == 0) return 0;
  const int64_t steps = std::max<int64_t>(0, tokens - size + stride - 1) / stride;
  const Window last = at(steps);
  return last.first < last.end ? steps + 1 : steps;
}

int64_t WindowPlan::predicted() const {
  int64_t sum = 0;
  for (int64_t i = 0; i < count(); ++i) sum += at(i).end - at(i).first;
  return sum;
}

int64_t WindowPlan::read() const {
  int64_t sum = 0;
  for (int64_t i = 0; i < count(); ++i) sum += read(at(i));
  return sum;
}

}  // namespace rsr::engine
