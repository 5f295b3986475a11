#include <algorithm>
#include <bit>
#include <cstring>
#include <iterator>

#include "base/check.h"
#include "matrix/values.h"
#include "segment/column_groups.h"
#include "segment/image.h"

// The image, all numbers little-endian:
//   magic   8 bytes "RSRGROUP"
//   header  uint32 version, alphabet, order, k; int64 rows, cols, tile_cols, groups, columns
//   cells   uint32 groups[cells], then uint32 columns[cells]: counts, each at most 65,536
//   arrays  uint32 patterns[groups], uint16 lasts[groups], uint16 columns[columns]
namespace rsr::segment {
namespace {

constexpr uint8_t kMagic[8] = {'R', 'S', 'R', 'G', 'R', 'O', 'U', 'P'};
constexpr uint32_t kVersion = 1;

template <class... Args>
Status corrupt(const Args&... args) {
  return base::error(ErrorCode::corrupt_data, "column groups: ", args...);
}

Status check_shape(const ColumnGroups& g) {
  if (g.k < 1 || g.k > kMaxBlockRows) return corrupt("k is ", g.k);
  if (g.cols < 1 || g.cols > matrix::kMaxCols) return corrupt("the number of columns is ", g.cols);
  if (g.rows < 0 || g.rows > matrix::kMaxElements / g.cols) return corrupt("rows are ", g.rows);
  if (g.tile_cols < 1 || g.tile_cols > kMaxTileCols) return corrupt("tile_cols is ", g.tile_cols);
  return {};
}

Status check_ranges(const ColumnGroups& g) {
  const auto cells = static_cast<size_t>(g.cell_count());
  if (g.cell_groups.size() != cells + 1 || g.cell_columns.size() != cells + 1) {
    return corrupt("there are ", cells, " cells, and ranges for ", g.cell_groups.size(), " and ",
                   g.cell_columns.size());
  }
  const auto covers = [](const std::vector<int64_t>& ranges, size_t size) {
    return ranges.front() == 0 && ranges.back() == static_cast<int64_t>(size) &&
           std::is_sorted(ranges.begin(), ranges.end());
  };
  if (!covers(g.cell_groups, g.patterns.size()) || !covers(g.cell_columns, g.columns.size()) ||
      g.lasts.size() != g.patterns.size()) {
    return corrupt("the cells' ranges do not cover the arrays");
  }
  return {};
}

Status check_pattern(const ColumnGroups& g, int64_t block, int64_t group, int64_t first_group) {
  const uint32_t pattern = g.patterns[group];
  const uint32_t digits = (1u << g.block_rows(block)) - 1;
  const uint32_t plus = pattern & 0xFFFF;
  const uint32_t minus = pattern >> 16;
  const bool sign_known = g.alphabet == Alphabet::ternary || minus == 0;
  if (pattern == 0 || ((plus | minus) & ~digits) != 0 || (plus & minus) != 0 || !sign_known) {
    return corrupt("group ", group, " has the impossible pattern ", pattern);
  }
  if (group == first_group) return {};
  const auto key = [&g](uint32_t p) { return sort_key(p, g.k, g.alphabet, g.order); };
  if (key(pattern) <= key(g.patterns[group - 1])) return corrupt("group ", group, " out of order");
  return {};
}

// `seen` has one byte per column of a tile, all zero; it is zero again afterwards.
Status check_cell(const ColumnGroups& g, int64_t cell, std::vector<uint8_t>& seen) {
  const int64_t block = cell / g.tile_count();
  const int64_t tile = cell % g.tile_count();
  const int64_t width = g.tile_width(tile);
  const int64_t first_group = g.cell_groups[cell];
  const int64_t first_column = g.cell_columns[cell];
  const int64_t column_count = g.cell_columns[cell + 1] - first_column;
  int64_t begin = 0;
  for (int64_t group = first_group; group < g.cell_groups[cell + 1]; ++group) {
    RSR_RETURN_IF_ERROR(check_pattern(g, block, group, first_group));
    const int64_t end = g.lasts[group] + int64_t{1};
    if (end <= begin || end > column_count) return corrupt("group ", group, " has a bad end");
    for (int64_t i = begin; i < end; ++i) {
      const uint16_t column = g.columns[first_column + i];
      const bool rises = i == begin || column > g.columns[first_column + i - 1];
      if (column >= width || !rises || seen[column] != 0) {
        return corrupt("group ", group, " has the impossible column ", column);
      }
      seen[column] = 1;
    }
    begin = end;
  }
  if (begin != column_count) return corrupt("cell ", cell, " has columns in no group");
  for (int64_t i = 0; i < column_count; ++i) seen[g.columns[first_column + i]] = 0;
  return {};
}

// Ranges from counts; the sums stay small because each count is at most 65,536.
bool read_ranges(Reader& reader, int64_t cells, std::vector<int64_t>& out) {
  out.assign(static_cast<size_t>(cells) + 1, 0);
  for (int64_t c = 0; c < cells; ++c) {
    const auto count = reader.number<uint32_t>();
    if (count > kMaxTileCols) return false;
    out[c + 1] = out[c] + count;
  }
  return true;
}

}  // namespace

Status validate(const ColumnGroups& groups) {
  RSR_RETURN_IF_ERROR(check_shape(groups));
  const bool known = groups.alphabet <= Alphabet::ternary && groups.order <= Order::gray_rank;
  if (!known) return corrupt("unknown alphabet or order");
  RSR_RETURN_IF_ERROR(check_ranges(groups));
  std::vector<uint8_t> seen(static_cast<size_t>(std::min(groups.tile_cols, groups.cols)), 0);
  for (int64_t cell = 0; cell < groups.cell_count(); ++cell) {
    RSR_RETURN_IF_ERROR(check_cell(groups, cell, seen));
  }
  return {};
}

std::vector<std::byte> to_bytes(const ColumnGroups& g) {
  const auto cells = static_cast<size_t>(g.cell_count());
  Writer out(64 + cells * 8 + g.patterns.size() * 6 + g.columns.size() * 2);
  for (const uint8_t c : kMagic) out.number(c);
  out.number(kVersion);
  out.number(static_cast<uint32_t>(g.alphabet));
  out.number(static_cast<uint32_t>(g.order));
  out.number(static_cast<uint32_t>(g.k));
  const auto group_count = static_cast<int64_t>(g.patterns.size());
  const auto column_count = static_cast<int64_t>(g.columns.size());
  for (const int64_t v : {g.rows, g.cols, g.tile_cols, group_count, column_count}) out.number(v);
  for (const auto* ranges : {&g.cell_groups, &g.cell_columns}) {
    for (size_t c = 0; c < cells; ++c) {
      out.number(static_cast<uint32_t>((*ranges)[c + 1] - (*ranges)[c]));
    }
  }
  out.array<uint32_t>(g.patterns);
  out.array<uint16_t>(g.lasts);
  out.array<uint16_t>(g.columns);
  return out.take();
}

Result<ColumnGroups> from_bytes(std::span<const std::byte> bytes) {
  constexpr size_t kHeaderBytes = 64;
  if (bytes.size() < kHeaderBytes) return corrupt("only ", bytes.size(), " bytes");
  if (std::memcmp(bytes.data(), kMagic, sizeof(kMagic)) != 0) return corrupt("no such magic");
  Reader in(bytes.subspan(sizeof(kMagic)));
  const auto version = in.number<uint32_t>();
  if (version != kVersion) {
    return base::error(ErrorCode::unsupported, "column groups: version ", version, ", this is ",
                       kVersion);
  }
  const auto alphabet = in.number<uint32_t>();
  const auto order = in.number<uint32_t>();
  const auto k = in.number<uint32_t>();
  if (alphabet > 1 || order > 1 || k > kMaxBlockRows) return corrupt("unknown kind or k");
  ColumnGroups g;
  g.alphabet = static_cast<Alphabet>(alphabet);
  g.order = static_cast<Order>(order);
  g.k = static_cast<int>(k);
  for (int64_t* v : {&g.rows, &g.cols, &g.tile_cols}) *v = in.number<int64_t>();
  const auto group_count = in.number<int64_t>();
  const auto column_count = in.number<int64_t>();
  RSR_RETURN_IF_ERROR(check_shape(g));

  // Sizes are compared before anything is allocated by them; none can overflow once each of the
  // three counts is at most the number of bytes.
  const auto left = static_cast<int64_t>(in.left());
  const int64_t cells = g.cell_count();
  const bool plausible = cells <= left && group_count >= 0 && group_count <= left &&
                         column_count >= 0 && column_count <= left;
  if (!plausible || cells * 8 + group_count * 6 + column_count * 2 != left) {
    return corrupt("the sizes in the header do not add up to ", bytes.size(), " bytes");
  }
  if (!read_ranges(in, cells, g.cell_groups) || !read_ranges(in, cells, g.cell_columns)) {
    return corrupt("a cell with more than ", kMaxTileCols, " groups or columns");
  }
  in.array(g.patterns, group_count);
  in.array(g.lasts, group_count);
  in.array(g.columns, column_count);
  RSR_RETURN_IF_ERROR(validate(g));
  return g;
}

}  // namespace rsr::segment
