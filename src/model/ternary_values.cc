#include "model/ternary_values.h"

#include <bit>
#include <cmath>
#include <span>

#include "base/check.h"

namespace rsr::model {
namespace {

// Narrower blocks would cost more in scales than their 2-bit codes, and chance could fit them.
constexpr int64_t kNarrowest = 64;
constexpr int64_t kGroup = 128;

/// One row as floats.
std::vector<float> read_row(const io::Tensor& tensor, int64_t row) {
  const size_t bytes = tensor.data.size() / static_cast<size_t>(tensor.shape[0]);
  io::Tensor part = tensor;
  part.shape = {tensor.shape[1]};
  part.data = tensor.data.subspan(static_cast<size_t>(row) * bytes, bytes);
  return io::to_floats(part).value();
}

/// Appends the signs of a block and its scale; false when it has two magnitudes, or an infinity or
/// a NaN.
bool append_block(std::span<const float> block, TernaryValues* found) {
  float scale = 0;
  for (const float value : block) {
    if (value == 0) {
      found->values.push_back(0);
      continue;
    }
    if (scale == 0) scale = std::fabs(value);
    if (std::fabs(value) != scale || !std::isfinite(value)) return false;
    found->values.push_back(value < 0 ? -1 : 1);
  }
  found->scales.push_back(scale);
  return true;
}

std::optional<TernaryValues> try_width(const io::Tensor& tensor, int64_t width) {
  TernaryValues found;
  found.width = width;
  const auto size = static_cast<size_t>(width);
  for (int64_t r = 0; r < tensor.shape[0]; ++r) {
    const std::vector<float> row = read_row(tensor, r);
    for (size_t at = 0; at < row.size(); at += size) {
      if (!append_block(std::span(row).subspan(at, size), &found)) return std::nullopt;
    }
    // One row fits: now it is worth having the memory for all of them.
    if (r == 0) found.values.reserve(row.size() * static_cast<size_t>(tensor.shape[0]));
  }
  return found;
}

}  // namespace

std::vector<int64_t> block_widths(int64_t cols) {
  std::vector<int64_t> widths;
  for (int64_t count = 1; count == 1 || cols / count >= kNarrowest; ++count) {
    if (cols % count != 0) continue;
    const bool halved = std::has_single_bit(static_cast<uint64_t>(count));
    if (halved || cols / count % kGroup == 0) widths.push_back(cols / count);
  }
  return widths;
}

std::optional<TernaryValues> find_ternary(const io::Tensor& tensor) {
  RSR_CHECK_OP(tensor.shape.size(), ==, 2);
  for (const int64_t width : block_widths(tensor.shape[1])) {
    if (std::optional<TernaryValues> found = try_width(tensor, width)) return found;
  }
  return std::nullopt;
}

}  // namespace rsr::model
