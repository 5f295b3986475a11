// The parts of a text that a user wrote, in which no special token may be found.
#pragma once

#include <cstddef>
#include <vector>

#include "rsr/status.h"
#include "text/byte_range.h"

namespace rsr::text {

/// Those that touch joined, and empty ones left out. Error: invalid_argument when one is out of
/// order or outside of a text of `text_size` bytes.
Result<std::vector<ByteRange>> join_ranges(const std::vector<ByteRange>& ranges, size_t text_size);

/// The parts of joined ranges inside [begin, begin + size), counted from begin.
std::vector<ByteRange> ranges_within(const std::vector<ByteRange>& ranges, size_t begin,
                                     size_t size);

}  // namespace rsr::text
