#include "cli/text_table.h"

#include <algorithm>
#include <iomanip>
#include <sstream>

namespace rsr::cli {

std::string grouped(int64_t value) {
  std::string text = std::to_string(value);
  for (size_t at = text.size(); at > 3;) text.insert(at -= 3, ",");
  return text;
}

std::string fixed(double value, int digits) {
  std::ostringstream out;
  out << std::fixed << std::setprecision(digits) << value;
  return out.str();
}

std::string text_table(const std::vector<std::vector<std::string>>& lines) {
  std::vector<size_t> widths(lines.front().size());
  for (const auto& line : lines) {
    for (size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  }
  std::ostringstream out;
  for (const auto& line : lines) {
    for (size_t i = 0; i < line.size(); ++i) {
      const bool left = i == 0 || i + 1 == line.size();
      const auto width = i + 1 == line.size() ? 0 : static_cast<int>(widths[i]);
      out << (i == 0 ? "" : "  ") << (left ? std::left : std::right) << std::setw(width) << line[i];
    }
    out << "\n";
  }
  return out.str();
}

}  // namespace rsr::cli
