// Numbers and tables for people to read.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace rsr::cli {

/// 1234567 as "1,234,567"; `value` is not negative.
std::string grouped(int64_t value);

/// With so many digits after the point.
std::string fixed(double value, int digits);

/// Lines of cells, as many in each: columns as wide as their widest cell, the first and the last to
/// the left.
std::string text_table(const std::vector<std::vector<std::string>>& lines);

}  // namespace rsr::cli
