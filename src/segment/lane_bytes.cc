#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "matrix/values.h"
#include "segment/image.h"
#include "segment/lane_groups.h"

// The image, all numbers little-endian:
//   magic   8 bytes "RSRLANES"
//   header  uint32 version, alphabet, k, 0; int64 rows, cols, tile_cols, rounds
//   cells   uint32 rounds[cells]: counts, each at most 65,536
//   arrays  uint16 starts[rounds], uint8 slots[rounds][lines][64]
namespace rsr::segment {
namespace {

constexpr uint8_t kMagic[8] = {'R', 'S', 'R', 'L', 'A', 'N', 'E', 'S'};
constexpr uint32_t kVersion = 1;
constexpr size_t kHeaderBytes = 56;

template <class... Args>
Status corrupt(const Args&... args) {
  return base::error(ErrorCode::corrupt_data, "lanes: ", args...);
}

Status check_shape(const LaneGroups& g) {
  if (g.alphabet > Alphabet::ternary) return corrupt("unknown alphabet");
  if (g.k < 1 || g.k > max_lane_k(g.alphabet)) return corrupt("k is ", g.k);
  if (g.cols < 1 || g.cols > matrix::kMaxCols) return corrupt("the number of columns is ", g.cols);
  if (g.rows < 0 || g.rows > matrix::kMaxElements / g.cols) return corrupt("rows are ", g.rows);
  if (g.tile_cols < 1 || g.tile_cols > kMaxTileCols) return corrupt("tile_cols is ", g.tile_cols);
  return {};
}

Status check_sizes(const LaneGroups& g) {
  const auto cells = static_cast<size_t>(g.cell_count());
  const std::vector<int64_t>& ranges = g.cell_rounds;
  if (ranges.size() != cells + 1 || ranges.front() != 0 ||
      ranges.back() != static_cast<int64_t>(g.starts.size()) ||
      !std::is_sorted(ranges.begin(), ranges.end())) {
    return corrupt("the rounds of ", cells, " cells do not cover the arrays");
  }
  if (g.slots.size() != g.starts.size() * static_cast<size_t>(g.round_bytes())) {
    return corrupt(g.starts.size(), " rounds with ", g.slots.size(), " slots");
  }
  return {};
}

// Adds up the lanes of each column of a cell, digit by digit.
class CellCheck {
 public:
  explicit CellCheck(const LaneGroups& g) : g_(g) {
    for (int lane = 0; lane < g.lines() * kLanesOfLine; ++lane) {
      for (int r = 0; r < g.k; ++r) {
        digits_[lane][r] = code_digit(g.alphabet, lane_code(g.alphabet, g.k, lane), r);
      }
    }
  }

  Status run(int64_t cell) {
    const int64_t tile = cell % g_.tile_count();
    width_ = g_.tile_width(tile);
    const int64_t begin = g_.cell_rounds[cell];
    const int64_t end = g_.cell_rounds[cell + 1];
    // No round is empty when the columns are put in one by one; and so no sum here overflows.
    if (end - begin > width_) return corrupt("cell ", cell, " has ", end - begin, " rounds");
    sums_.assign(static_cast<size_t>(width_ * g_.k), 0);
    for (int64_t round = begin; round < end; ++round) RSR_RETURN_IF_ERROR(add_round(round));
    const int rows = g_.block_rows(cell / g_.tile_count());
    const int lowest = g_.alphabet == Alphabet::binary ? 0 : -1;
    for (size_t i = 0; i < sums_.size(); ++i) {
      const bool is_row = static_cast<int>(i % static_cast<size_t>(g_.k)) < rows;
      if (sums_[i] < (is_row ? lowest : 0) || sums_[i] > (is_row ? 1 : 0)) {
        return corrupt("the lanes of a column of cell ", cell, " add up to a digit of ", sums_[i]);
      }
    }
    return {};
  }

 private:
  Status add_round(int64_t round) {
    const int64_t start = g_.starts[round];
    if (start > std::max<int64_t>(0, width_ - kLaneWindow)) {
      return corrupt("round ", round, " starts at column ", start, " of ", width_);
    }
    const uint8_t* slot = g_.slots.data() + round * g_.round_bytes();
    for (int64_t i = 0; i < g_.round_bytes(); ++i) {
      if (slot[i] == kNoColumn) continue;
      const int64_t column = start + slot[i];
      if (column >= width_) return corrupt("round ", round, " has column ", column, " of ", width_);
      for (int r = 0; r < g_.k; ++r) {
        sums_[static_cast<size_t>(column * g_.k + r)] += digits_[i / kSlotsOfLane][r];
      }
    }
    return {};
  }

  const LaneGroups& g_;
  int64_t width_ = 0;
  int digits_[kMaxLanes][6] = {};
  std::vector<int32_t> sums_;  // [width][k]
};

// Ranges from counts; the sums stay small because each count is at most 65,536.
bool read_ranges(Reader& in, int64_t cells, std::vector<int64_t>& out) {
  out.assign(static_cast<size_t>(cells) + 1, 0);
  for (int64_t c = 0; c < cells; ++c) {
    const auto count = in.number<uint32_t>();
    if (count > kMaxTileCols) return false;
    out[c + 1] = out[c] + count;
  }
  return true;
}

}  // namespace

Status validate(const LaneGroups& lanes) {
  RSR_RETURN_IF_ERROR(check_shape(lanes));
  RSR_RETURN_IF_ERROR(check_sizes(lanes));
  CellCheck check(lanes);
  for (int64_t cell = 0; cell < lanes.cell_count(); ++cell) {
    RSR_RETURN_IF_ERROR(check.run(cell));
  }
  return {};
}

std::vector<std::byte> to_bytes(const LaneGroups& g) {
  Writer out(kHeaderBytes + static_cast<size_t>(g.nbytes()));
  for (const uint8_t c : kMagic) out.number(c);
  for (const uint32_t v :
       {kVersion, static_cast<uint32_t>(g.alphabet), static_cast<uint32_t>(g.k), uint32_t{0}}) {
    out.number(v);
  }
  const auto rounds = static_cast<int64_t>(g.starts.size());
  for (const int64_t v : {g.rows, g.cols, g.tile_cols, rounds}) out.number(v);
  for (size_t c = 0; c + 1 < g.cell_rounds.size(); ++c) {
    out.number(static_cast<uint32_t>(g.cell_rounds[c + 1] - g.cell_rounds[c]));
  }
  out.array<uint16_t>(g.starts);
  out.array<uint8_t>(g.slots.span());
  return out.take();
}

bool is_lanes_image(std::span<const std::byte> bytes) {
  return bytes.size() >= sizeof(kMagic) && std::memcmp(bytes.data(), kMagic, sizeof(kMagic)) == 0;
}

Result<LaneGroups> lanes_from_bytes(std::span<const std::byte> bytes) {
  if (bytes.size() < kHeaderBytes) return corrupt("only ", bytes.size(), " bytes");
  if (!is_lanes_image(bytes)) return corrupt("no such magic");
  Reader in(bytes.subspan(sizeof(kMagic)));
  const auto version = in.number<uint32_t>();
  if (version != kVersion) {
    return base::error(ErrorCode::unsupported, "lanes: version ", version, ", this is ", kVersion);
  }
  const auto alphabet = in.number<uint32_t>();
  const auto k = in.number<uint32_t>();
  if (alphabet > 1 || k > kMaxBlockRows) return corrupt("unknown kind or k");
  if (in.number<uint32_t>() != 0) return corrupt("unknown field");
  LaneGroups g;
  g.alphabet = static_cast<Alphabet>(alphabet);
  g.k = static_cast<int>(k);
  for (int64_t* v : {&g.rows, &g.cols, &g.tile_cols}) *v = in.number<int64_t>();
  const auto rounds = in.number<int64_t>();
  RSR_RETURN_IF_ERROR(check_shape(g));

  // Sizes are compared before anything is allocated by them; none can overflow once each count is
  // at most the number of bytes.
  const auto left = static_cast<int64_t>(in.left());
  const int64_t cells = g.cell_count();
  const bool plausible = cells <= left && rounds >= 0 && rounds <= left;
  if (!plausible || cells * 4 + rounds * (2 + g.round_bytes()) != left) {
    return corrupt("the sizes in the header do not add up to ", bytes.size(), " bytes");
  }
  if (!read_ranges(in, cells, g.cell_rounds)) {
    return corrupt("a cell with more than ", kMaxTileCols, " rounds");
  }
  in.array(g.starts, rounds);
  g.slots = base::AlignedArray<uint8_t>(static_cast<size_t>(rounds * g.round_bytes()));
  for (uint8_t& slot : g.slots.span()) slot = in.number<uint8_t>();
  RSR_RETURN_IF_ERROR(validate(g));
  return g;
}

}  // namespace rsr::segment
