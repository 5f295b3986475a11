#include "matrix/packed.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/check.h"

namespace rsr::matrix {
namespace {

/// Value of a code, and code of a value.
int8_t value_of(Alphabet alphabet, uint8_t code) {
  switch (alphabet) {
    case Alphabet::ternary:
      return static_cast<int8_t>(code - 1);
    case Alphabet::binary:
      return static_cast<int8_t>(code);
    case Alphabet::signs:
      return static_cast<int8_t>(2 * code - 1);
  }
  return 0;
}

uint8_t code_of(Alphabet alphabet, int8_t value) {
  if (alphabet == Alphabet::ternary) return static_cast<uint8_t>(value + 1);
  return value > 0 ? 1 : 0;
}

uint8_t padding_code(Format format) {
  return is_ternary(format) ? 1 : 0;
}

}  // namespace

Packed::Packed(Format format, Alphabet alphabet, int64_t rows, int64_t cols, int64_t group_size)
    : format_(format),
      alphabet_(alphabet),
      rows_(rows),
      layout_(cols, group_size, line_cols(format)),
      lines_(static_cast<size_t>(tiles() * tile_stride())) {
  RSR_CHECK(is_ternary(format) == (alphabet == Alphabet::ternary));
  RSR_CHECK(layout_.segments() == 1 || format == Format::t2 || format == Format::b1);
}

Packed::Packed(Format format, Alphabet alphabet, int64_t rows, int64_t cols, int64_t group_size,
               base::SharedSpan<uint8_t> lines)
    : format_(format),
      alphabet_(alphabet),
      rows_(rows),
      layout_(cols, group_size, line_cols(format)),
      shared_(std::move(lines)) {
  RSR_CHECK(is_ternary(format) == (alphabet == Alphabet::ternary));
  RSR_CHECK_OP(static_cast<int64_t>(shared_.size()), ==, nbytes());
  RSR_CHECK_OP(reinterpret_cast<uintptr_t>(shared_.data()) % kLineBytes, ==, 0u);
}

int64_t Packed::bytes_needed(Format format, int64_t rows, int64_t cols, int64_t group_size) {
  const ColumnLayout layout(cols, group_size, line_cols(format));
  return (rows + kTileRows - 1) / kTileRows * layout.total_steps() * kLineBytes;
}

uint8_t* Packed::lines() {
  RSR_CHECK(shared_.empty());
  return lines_.data();
}

Packed Packed::copied() const {
  Packed copy(format_, alphabet_, rows_, cols(), layout_.group_size());
  std::copy_n(lines(), nbytes(), copy.lines());
  return copy;
}

Packed::Packed(Format format, Alphabet alphabet, const RowReader& values, int64_t rows,
               int64_t cols, int64_t group_size)
    : Packed(format, alphabet, rows, cols, group_size) {
  std::vector<int8_t> row(static_cast<size_t>(cols));
  const std::vector<uint8_t> padding(static_cast<size_t>(layout_.padded_cols()),
                                     padding_code(format));
  std::vector<uint8_t> codes;
  for (int64_t r = 0; r < tiles() * kTileRows; ++r) {
    codes = padding;
    if (r < rows) {
      values.read(r, row.data());
      layout_.for_each_column([&](int64_t col, int64_t padded) {
        codes[static_cast<size_t>(padded)] = code_of(alphabet, row[static_cast<size_t>(col)]);
      });
    }
    pack_row(format, codes, static_cast<int>(r % kTileRows),
             lines() + r / kTileRows * tile_stride());
  }
}

void Packed::read_row(int64_t row, int8_t* values) const {
  std::vector<uint8_t> codes(static_cast<size_t>(layout_.padded_cols()));
  unpack_row(format_, lines() + row / kTileRows * tile_stride(), static_cast<int>(row % kTileRows),
             codes);
  layout_.for_each_column([&](int64_t col, int64_t padded) {
    values[col] = value_of(alphabet_, codes[static_cast<size_t>(padded)]);
  });
}

}  // namespace rsr::matrix
