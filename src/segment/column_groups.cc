#include "segment/column_groups.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "matrix/values.h"

namespace rsr::segment {
namespace {

// A column waiting to be sorted: key << 16 | column. Sorting rows of (key, column) as one integer
// makes equal keys keep their columns in rising order.
using Entry = uint64_t;
constexpr int kColumnBits = 16;

// Sorts by the key's bytes, least significant first, without a table of all patterns; passes in
// which all entries have the same byte are skipped. Entries come in rising column order.
void sort_entries(std::vector<Entry>& entries, std::vector<Entry>& spare) {
  // Below this size the 256 counters of a pass cost more than comparing.
  constexpr size_t kSmall = 192;
  if (entries.size() <= kSmall) {
    std::sort(entries.begin(), entries.end());
    return;
  }
  Entry all_or = 0;
  Entry all_and = ~Entry{0};
  for (const Entry e : entries) {
    all_or |= e;
    all_and &= e;
  }
  spare.resize(entries.size());
  for (int shift = kColumnBits; shift < kColumnBits + 32; shift += 8) {
    if (((all_or ^ all_and) >> shift & 0xFF) == 0) continue;
    std::array<uint32_t, 256> place{};
    for (const Entry e : entries) ++place[e >> shift & 0xFF];
    uint32_t sum = 0;
    for (uint32_t& p : place) sum += std::exchange(p, sum);
    for (const Entry e : entries) spare[place[e >> shift & 0xFF]++] = e;
    entries.swap(spare);
  }
}

class Builder {
 public:
  Builder(const RowSource& source, ColumnGroups& out)
      : source_(source), out_(out), row_(out.cols), patterns_(out.cols) {}

  Status run() {
    const size_t cells = static_cast<size_t>(out_.cell_count());
    out_.cell_groups.reserve(cells + 1);
    out_.cell_columns.reserve(cells + 1);
    out_.cell_groups.push_back(0);
    out_.cell_columns.push_back(0);
    for (int64_t block = 0; block < out_.block_count(); ++block) {
      RSR_RETURN_IF_ERROR(read_block(block));
      for (int64_t tile = 0; tile < out_.tile_count(); ++tile) add_cell(tile);
      if (block == 0) reserve_like_first_block();
    }
    out_.patterns.shrink_to_fit();
    out_.lasts.shrink_to_fit();
    out_.columns.shrink_to_fit();
    return {};
  }

 private:
  Status read_block(int64_t block) {
    std::fill(patterns_.begin(), patterns_.end(), 0u);
    const uint32_t lowest = out_.alphabet == Alphabet::binary ? 0 : 1;
    for (int r = 0; r < out_.block_rows(block); ++r) {
      const int64_t row = block * out_.k + r;
      source_(row, row_.data());
      uint32_t bad = 0;
      for (int64_t c = 0; c < out_.cols; ++c) {
        const auto v = static_cast<uint32_t>(static_cast<int32_t>(row_[c]));
        bad |= static_cast<uint32_t>(v + lowest > lowest + 1);
        patterns_[c] |= (v & 1u) << (r + (v >> 31) * 16);
      }
      if (bad != 0) return bad_value(row);
    }
    return {};
  }

  Status bad_value(int64_t row) const {
    const int lowest = out_.alphabet == Alphabet::binary ? 0 : -1;
    int64_t c = 0;
    while (row_[c] >= lowest && row_[c] <= 1) ++c;
    return base::error(ErrorCode::invalid_argument, "value at row ", row, ", column ", c, " is ",
                       static_cast<int>(row_[c]), ", not ", lowest == 0 ? "0 or 1" : "-1, 0 or +1");
  }

  void add_cell(int64_t tile) {
    const int64_t first = tile * out_.tile_cols;
    const int64_t width = out_.tile_width(tile);
    entries_.clear();
    for (int64_t c = 0; c < width; ++c) {
      const uint32_t pattern = patterns_[first + c];
      if (pattern == 0) continue;
      const Entry key = sort_key(pattern, out_.k, out_.alphabet, out_.order);
      entries_.push_back(key << kColumnBits | static_cast<Entry>(c));
    }
    sort_entries(entries_, spare_);
    const size_t count = entries_.size();
    for (size_t i = 0; i < count; ++i) {
      const auto column = static_cast<uint16_t>(entries_[i] & 0xFFFF);
      out_.columns.push_back(column);
      if (i + 1 < count && entries_[i] >> kColumnBits == entries_[i + 1] >> kColumnBits) continue;
      out_.patterns.push_back(patterns_[first + column]);
      out_.lasts.push_back(static_cast<uint16_t>(i));
    }
    out_.cell_groups.push_back(static_cast<int64_t>(out_.patterns.size()));
    out_.cell_columns.push_back(static_cast<int64_t>(out_.columns.size()));
  }

  // Blocks resemble each other: reserving for all of them by the first one avoids holding the index
  // twice while a vector grows. A wrong guess costs only that.
  void reserve_like_first_block() {
    const auto blocks = static_cast<size_t>(out_.block_count());
    const auto guess = [blocks](size_t size) { return (size + size / 32 + 1) * blocks; };
    out_.patterns.reserve(guess(out_.patterns.size()));
    out_.lasts.reserve(guess(out_.lasts.size()));
    out_.columns.reserve(guess(out_.columns.size()));
  }

  const RowSource& source_;
  ColumnGroups& out_;
  std::vector<int8_t> row_;
  std::vector<uint32_t> patterns_;
  std::vector<Entry> entries_;
  std::vector<Entry> spare_;
};

}  // namespace

int64_t ColumnGroups::nbytes() const {
  const size_t bytes = (cell_groups.size() + cell_columns.size()) * sizeof(int64_t) +
                       patterns.size() * sizeof(uint32_t) +
                       (lasts.size() + columns.size()) * sizeof(uint16_t);
  return static_cast<int64_t>(bytes);
}

uint32_t gray_rank(uint32_t pattern, int k, Alphabet alphabet) {
  const uint32_t base = alphabet == Alphabet::binary ? 2 : 3;
  uint32_t rank = 0;
  for (int r = k - 1; r >= 0; --r) {
    const uint32_t plus = pattern >> r & 1u;
    const uint32_t minus = pattern >> (16 + r) & 1u;
    const uint32_t digit = base == 2 ? plus : 1 + plus - minus;
    // `rank` sweeps over the lower digits are behind us; every second sweep runs backwards.
    rank = rank * base + ((rank & 1u) != 0 ? base - 1 - digit : digit);
  }
  return rank;
}

uint32_t sort_key(uint32_t pattern, int k, Alphabet alphabet, Order order) {
  return order == Order::gray_rank ? gray_rank(pattern, k, alphabet) : pattern;
}

Result<ColumnGroups> build(const RowSource& source, int64_t rows, int64_t cols,
                           const BuildOptions& options) {
  if (cols < 1 || cols > matrix::kMaxCols || rows < 0 || rows > matrix::kMaxElements / cols) {
    return base::error(ErrorCode::invalid_argument, "no index for a matrix of ", rows, " x ", cols,
                       ": columns must be 1 to ", matrix::kMaxCols, ", rows at least 0 and values ",
                       "at most ", matrix::kMaxElements);
  }
  if (options.k < 1 || options.k > kMaxBlockRows) {
    return base::error(ErrorCode::invalid_argument, "k must be 1 to ", kMaxBlockRows, ", and is ",
                       options.k);
  }
  if (options.tile_cols < 0 || options.tile_cols > kMaxTileCols) {
    return base::error(ErrorCode::invalid_argument, "tile_cols must be 1 to ", kMaxTileCols,
                       " (or 0 for the most), and is ", options.tile_cols);
  }
  ColumnGroups out;
  out.rows = rows;
  out.cols = cols;
  out.tile_cols = options.tile_cols == 0 ? kMaxTileCols : options.tile_cols;
  out.k = options.k;
  out.alphabet = options.alphabet;
  out.order = options.order;
  RSR_RETURN_IF_ERROR(Builder(source, out).run());
  return out;
}

}  // namespace rsr::segment
