#include "segment/lane_groups.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "matrix/values.h"
#include "segment/cell_forms.h"
#include "segment/lane_packer.h"

namespace rsr::segment {
namespace {

// The codes of a block's columns, row by row. A short last block has zeros below.
class BlockCodes {
 public:
  BlockCodes(const RowSource& source, const LaneGroups& shape)
      : source_(source),
        shape_(shape),
        row_(static_cast<size_t>(shape.cols)),
        codes_(static_cast<size_t>(shape.cols)) {}

  Status read(int64_t block, int zero_code) {
    const bool binary = shape_.alphabet == Alphabet::binary;
    const int lowest = binary ? 0 : -1;
    std::fill(codes_.begin(), codes_.end(), static_cast<uint8_t>(zero_code));
    int power = 1;
    for (int r = 0; r < shape_.block_rows(block); ++r, power *= binary ? 2 : 3) {
      source_(block * shape_.k + r, row_.data());
      bool good = true;
      for (size_t c = 0; c < row_.size(); ++c) {
        good &= row_[c] >= lowest && row_[c] <= 1;
        codes_[c] = static_cast<uint8_t>(codes_[c] + row_[c] * power);
      }
      if (!good) return matrix_value_error(block * shape_.k + r, lowest);
    }
    return {};
  }
  const uint8_t* data() const { return codes_.data(); }

 private:
  Status matrix_value_error(int64_t row, int lowest) const {
    size_t c = 0;
    while (row_[c] >= lowest && row_[c] <= 1) ++c;
    return base::error(ErrorCode::invalid_argument, "value at row ", row, ", column ", c, " is ",
                       static_cast<int>(row_[c]), ", not ", lowest == 0 ? "0 or 1" : "-1, 0 or +1");
  }

  const RowSource& source_;
  const LaneGroups& shape_;
  std::vector<int8_t> row_;
  std::vector<uint8_t> codes_;
};

Status check_options(int64_t rows, int64_t cols, const BuildOptions& o) {
  if (cols < 1 || cols > matrix::kMaxCols || rows < 0 || rows > matrix::kMaxElements / cols) {
    return base::error(ErrorCode::invalid_argument, "no index for a matrix of ", rows, " x ", cols);
  }
  if (o.k < 1 || o.k > max_lane_k(o.alphabet)) {
    return base::error(ErrorCode::invalid_argument, "k must be 1 to ", max_lane_k(o.alphabet),
                       " for lanes, and is ", o.k);
  }
  if (o.tile_cols < 0 || o.tile_cols > kMaxTileCols) {
    return base::error(ErrorCode::invalid_argument, "tile_cols must be 1 to ", kMaxTileCols,
                       " (or 0 for the most), and is ", o.tile_cols);
  }
  return {};
}

}  // namespace

int max_lane_k(Alphabet alphabet) {
  return alphabet == Alphabet::binary ? 6 : 4;
}

int lane_lines(Alphabet alphabet, int k) {
  return static_cast<int>((pattern_count(alphabet, k) - 1 + kLanesOfLine - 1) / kLanesOfLine);
}

int lane_code(Alphabet alphabet, int k, int lane) {
  const int patterns = static_cast<int>(pattern_count(alphabet, k));
  RSR_CHECK_OP(patterns, >, 1);
  const int zero = alphabet == Alphabet::binary ? 0 : (patterns - 1) / 2;
  const int place = lane % (patterns - 1);
  return place < zero ? place : place + 1;
}

int code_digit(Alphabet alphabet, int code, int r) {
  if (alphabet == Alphabet::binary) return code >> r & 1;
  for (; r > 0; --r) code /= 3;
  return code % 3 - 1;
}

int64_t LaneGroups::nbytes() const {
  return static_cast<int64_t>(cell_rounds.size() * sizeof(int64_t) +
                              starts.size() * sizeof(uint16_t) + slots.size());
}

Result<std::optional<LaneGroups>> build_lanes(const RowSource& source, int64_t rows, int64_t cols,
                                              const BuildOptions& options, double most_bits) {
  RSR_RETURN_IF_ERROR(check_options(rows, cols, options));
  LaneGroups out;
  out.rows = rows;
  out.cols = cols;
  out.tile_cols = options.tile_cols == 0 ? kMaxTileCols : options.tile_cols;
  out.k = options.k;
  out.alphabet = options.alphabet;
  LanePacker packer(out.alphabet, out.k);
  BlockCodes codes(source, out);
  std::vector<uint8_t> slots;
  out.cell_rounds.push_back(0);
  for (int64_t block = 0; block < out.block_count(); ++block) {
    RSR_RETURN_IF_ERROR(codes.read(block, packer.zero_code()));
    for (int64_t first = 0; first < cols; first += out.tile_cols) {
      const int64_t width = std::min(out.tile_cols, cols - first);
      packer.pack(codes.data() + first, width, out.starts, slots);
      out.cell_rounds.push_back(static_cast<int64_t>(out.starts.size()));
    }
    // The first block has no say yet: one round per tile is a lot for a few columns.
    const double weights = static_cast<double>((block + 1) * out.k) * static_cast<double>(cols);
    if (8.0 * static_cast<double>(slots.size()) > most_bits * weights + 8.0 * 65536) {
      return std::optional<LaneGroups>();
    }
    if (block == 0) slots.reserve(slots.size() * static_cast<size_t>(out.block_count()) / 32 * 33);
  }
  out.slots = base::AlignedArray<uint8_t>(slots.size());
  std::copy(slots.begin(), slots.end(), out.slots.data());
  return std::optional<LaneGroups>(std::move(out));
}

}  // namespace rsr::segment
