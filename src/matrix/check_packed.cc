#include "matrix/check_packed.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/check.h"

namespace rsr::matrix {
namespace {

/// Bits that are set where a dword of the format holds a code without a meaning; 0 when it is fine.
template <Format format>
uint32_t bad_bits(uint32_t v) {
  if constexpr (format == Format::t2) return v & v >> 1 & 0x55555555u;
  if constexpr (format == Format::t3) {
    // 27 to 31 are 11011 and 111xx; bit g of the result is the lowest bit of the code.
    const uint32_t high = v >> 4 & v >> 3;
    return (high & (v >> 2 | (v >> 1 & v)) & 0x02108421u) | (v & 0xC0000000u);
  }
  if constexpr (format == Format::t5) {
    uint32_t bad = 0;
    for (int b = 0; b < 4; ++b) bad |= (v >> 8 * b & 255) >= kT5Escape + 51u ? 1u << 8 * b : 0u;
    return bad;
  }
  return 0;
}

template <Format format>
Status check_codes(const Packed& packed) {
  const uint8_t* const lines = packed.lines();
  const auto dword = [](const uint8_t* at) {
    uint32_t v = 0;
    std::memcpy(&v, at, sizeof(v));
    return v;
  };
  for (int64_t at = 0; at < packed.nbytes(); at += kLineBytes) {
    uint32_t bad = 0;
    for (int64_t r = 0; r < kTileRows; ++r) bad |= bad_bits<format>(dword(lines + at + 4 * r));
    if (bad == 0) continue;
    int64_t row = 0;
    while (bad_bits<format>(dword(lines + at + 4 * row)) == 0) ++row;
    return base::error(ErrorCode::corrupt_data, "row ", at / packed.tile_stride() * kTileRows + row,
                       ", line ", at % packed.tile_stride() / kLineBytes,
                       ": a code without a meaning in ", format_name(format));
  }
  return {};
}

Status check_all_codes(const Packed& packed) {
  switch (packed.format()) {
    case Format::t5:
      return check_codes<Format::t5>(packed);
    case Format::t2:
      return check_codes<Format::t2>(packed);
    case Format::t3:
      return check_codes<Format::t3>(packed);
    case Format::b1:
      return {};
  }
  return {};
}

Status bad_padding(int64_t row, int64_t column) {
  return base::error(ErrorCode::corrupt_data, "row ", row, ", padding column ", column,
                     ": not the padding code");
}

/// The columns behind the last one of each segment. They lie in its last line, for t5 anywhere in
/// its last super-block.
Status check_padding_columns(const Packed& packed) {
  const ColumnLayout& layout = packed.layout();
  const Format format = packed.format();
  const uint8_t padding = is_ternary(format) ? 1 : 0;
  std::vector<uint8_t> codes;
  for (int64_t s = 0; s < layout.segments(); ++s) {
    const base::Range columns = layout.columns(s);
    const int64_t steps = layout.steps(s);
    if (columns.end - columns.begin == steps * line_cols(format)) continue;
    const int64_t first =
        format == Format::t5 ? (steps - 1) / kT5BlockLines * kT5BlockLines : steps - 1;
    const int64_t used = columns.end - columns.begin - first * line_cols(format);
    codes.resize(static_cast<size_t>((steps - first) * line_cols(format)));
    const int64_t line = s * layout.steps_per_segment() + first;
    for (int64_t row = 0; row < packed.rows(); ++row) {
      unpack_row(format,
                 packed.lines() + row / kTileRows * packed.tile_stride() + line * kLineBytes,
                 static_cast<int>(row % kTileRows), codes);
      const auto wrong = std::find_if(codes.begin() + used, codes.end(),
                                      [=](uint8_t code) { return code != padding; });
      if (wrong != codes.end()) {
        return bad_padding(row, line * line_cols(format) + (wrong - codes.begin()));
      }
    }
  }
  return {};
}

/// The rows behind the last one.
Status check_padding_rows(const Packed& packed) {
  if (packed.rows() % kTileRows == 0) return {};
  const uint8_t padding = is_ternary(packed.format()) ? 1 : 0;
  std::vector<uint8_t> codes(static_cast<size_t>(packed.layout().padded_cols()));
  const uint8_t* tile = packed.lines() + (packed.tiles() - 1) * packed.tile_stride();
  for (int64_t row = packed.rows(); row < packed.tiles() * kTileRows; ++row) {
    unpack_row(packed.format(), tile, static_cast<int>(row % kTileRows), codes);
    const auto wrong =
        std::find_if(codes.begin(), codes.end(), [=](uint8_t code) { return code != padding; });
    if (wrong != codes.end()) return bad_padding(row, wrong - codes.begin());
  }
  return {};
}

}  // namespace

Status check_packed(const Packed& packed) {
  RSR_RETURN_IF_ERROR(check_all_codes(packed));
  RSR_RETURN_IF_ERROR(check_padding_columns(packed));
  return check_padding_rows(packed);
}

}  // namespace rsr::matrix
