#include "text/user_ranges.h"

#include <algorithm>

#include "base/check.h"

namespace rsr::text {

Result<std::vector<ByteRange>> join_ranges(const std::vector<ByteRange>& ranges, size_t text_size) {
  std::vector<ByteRange> joined;
  size_t previous = 0;
  for (const ByteRange& range : ranges) {
    if (range.begin < previous || range.end < range.begin || range.end > text_size) {
      return base::error(ErrorCode::invalid_argument, "user range [", range.begin, ", ", range.end,
                         ") is out of order or outside the text of ", text_size, " bytes");
    }
    previous = range.end;
    if (range.size() == 0) continue;
    if (!joined.empty() && joined.back().end == range.begin) {
      joined.back().end = range.end;
    } else {
      joined.push_back(range);
    }
  }
  return joined;
}

std::vector<ByteRange> ranges_within(const std::vector<ByteRange>& ranges, size_t begin,
                                     size_t size) {
  std::vector<ByteRange> within;
  auto it = std::partition_point(ranges.begin(), ranges.end(),
                                 [&](const ByteRange& range) { return range.end <= begin; });
  for (; it != ranges.end() && it->begin < begin + size; ++it) {
    within.push_back({std::max(it->begin, begin) - begin, std::min(it->end - begin, size)});
  }
  return within;
}

}  // namespace rsr::text
