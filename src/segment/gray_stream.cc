#include "segment/gray_stream.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/check.h"
#include "segment/cell_forms.h"
#include "segment/column_groups.h"
#include "segment/lane_groups.h"

namespace rsr::segment {
namespace {

class Builder {
 public:
  Builder(const GrayShape& shape, GrayStream& out)
      : out_(out), codes_(static_cast<size_t>(shape.cols)), row_(static_cast<size_t>(shape.cols)) {
    const auto patterns = static_cast<int>(out.patterns());
    for (int code = 0; code < 256; ++code) {
      const uint32_t pattern = code < patterns ? code_pattern(out.alphabet, out.k, code) : 0;
      ranks_[static_cast<size_t>(code)] =
          static_cast<uint8_t>(gray_rank(pattern, out.k, out.alphabet));
    }
    zero_rank_ = gray_rank(0, out.k, out.alphabet);
    if (shape.borrow) fill_sums();
  }

  /// The ranks of the patterns of a block's columns.
  void read_block(int64_t block, const std::function<void(int64_t, int8_t*)>& read_row) {
    const bool binary = out_.alphabet == Alphabet::binary;
    std::fill(codes_.begin(), codes_.end(), uint8_t{0});
    int weight = 1;
    for (int r = 0; r < out_.k; ++r, weight *= binary ? 2 : 3) {
      if (r < out_.block_rows(block)) {
        read_row(block * out_.k + r, row_.data());
      } else {
        std::fill(row_.begin(), row_.end(), int8_t{0});
      }
      const int lowest = binary ? 0 : 1;
      for (size_t c = 0; c < codes_.size(); ++c) {
        codes_[c] = static_cast<uint8_t>(codes_[c] + (row_[c] + lowest) * weight);
      }
    }
    for (uint8_t& code : codes_) code = ranks_[code];
  }

  /// Appends the places of a cell to `places`, and writes its ends.
  void add_cell(int64_t tile, std::vector<uint16_t>& places, uint16_t* ends) {
    const uint8_t* ranks = codes_.data() + tile * out_.tile_cols;
    const int64_t width = out_.tile_width(tile);
    std::array<uint32_t, 256> next{};
    for (int64_t c = 0; c < width; ++c) ++next[ranks[c]];
    next[zero_rank_] = 0;
    for (const uint32_t columns : next) out_.additions += columns + (columns > 0 ? 1 : 0);
    Loans loans;
    if (!sums_.empty()) loans = borrow(next);
    uint32_t at = 0;
    for (int64_t rank = 0; rank < out_.patterns(); ++rank) {
      at += std::exchange(next[static_cast<size_t>(rank)], at) + 1;
      at &= ~1u;
      ends[rank] = static_cast<uint16_t>(at / 2 * static_cast<uint32_t>(out_.stride));
    }
    const uint32_t count = (at + kPlacesAtOnce - 1) / kPlacesAtOnce * kPlacesAtOnce;
    const size_t first = places.size();
    places.resize(first + count, static_cast<uint16_t>(out_.tile_cols * out_.stride));
    for (int64_t c = 0; c < width; ++c) {
      if (ranks[c] == zero_rank_) continue;
      const auto place = static_cast<uint16_t>(c * out_.stride);
      if (const Loan loan = std::exchange(loans[ranks[c]], Loan{}); loan.a != loan.b) {
        places[first + next[loan.a]++] = place;
        places[first + next[loan.b]++] = place;
      } else {
        places[first + next[ranks[c]]++] = place;
      }
    }
  }

 private:
  /// Two groups that a column is listed in instead of its own; equal: none.
  struct Loan {
    uint8_t a = 0;
    uint8_t b = 0;
  };
  using Loans = std::array<Loan, 256>;
  static constexpr uint8_t kNoSum = 255;

  /// The rank of the sum of two patterns, for all pairs.
  void fill_sums() {
    const auto patterns = static_cast<int>(out_.patterns());
    sums_.assign(static_cast<size_t>(patterns * patterns), kNoSum);
    for (int i = 0; i < patterns; ++i) {
      for (int j = 0; j < patterns; ++j) {
        const uint32_t a = code_pattern(out_.alphabet, out_.k, i);
        const uint32_t b = code_pattern(out_.alphabet, out_.k, j);
        // A row has its plus or minus in one half: both once is zero, one of them twice too much.
        if ((a & b) != 0) continue;
        const uint32_t both = a | b;
        const uint32_t cancelled = (both >> 16) & both & 0xFFFF;
        const uint32_t sum = both & ~(cancelled | cancelled << 16);
        sums_[sum_at(gray_rank(a, out_.k, out_.alphabet), gray_rank(b, out_.k, out_.alphabet))] =
            static_cast<uint8_t>(gray_rank(sum, out_.k, out_.alphabet));
      }
    }
  }
  size_t sum_at(size_t a, size_t b) const { return a * static_cast<size_t>(out_.patterns()) + b; }

  /// Finds groups a, b and a + b that all lack a column to be whole pairs, and moves one from the
  /// last to both others; `counts` then has even numbers there.
  Loans borrow(std::array<uint32_t, 256>& counts) const {
    Loans loans;
    std::array<uint8_t, 256> odd{};
    size_t found = 0;
    for (size_t rank = 0; rank < static_cast<size_t>(out_.patterns()); ++rank) {
      if (counts[rank] % 2 != 0) odd[found++] = static_cast<uint8_t>(rank);
    }
    for (size_t i = 0; i < found; ++i) {
      for (size_t j = i + 1; j < found && counts[odd[i]] % 2 != 0; ++j) {
        const uint8_t sum = sums_[sum_at(odd[i], odd[j])];
        if (sum == kNoSum || counts[odd[j]] % 2 == 0 || counts[sum] % 2 == 0) continue;
        loans[sum] = {odd[i], odd[j]};
        ++counts[odd[i]];
        ++counts[odd[j]];
        --counts[sum];
      }
    }
    return loans;
  }

  GrayStream& out_;
  std::vector<uint8_t> codes_;
  std::vector<int8_t> row_;
  std::array<uint8_t, 256> ranks_{};
  uint32_t zero_rank_ = 0;
  std::vector<uint8_t> sums_;  // [rank][rank]; empty: nothing is borrowed
};

}  // namespace

uint32_t code_pattern(Alphabet alphabet, int k, int code) {
  uint32_t pattern = 0;
  for (int r = 0; r < k; ++r) {
    const int digit = code_digit(alphabet, code, r);
    if (digit > 0) pattern |= 1u << r;
    if (digit < 0) pattern |= 1u << (16 + r);
  }
  return pattern;
}

int64_t GrayStream::patterns() const {
  return pattern_count(alphabet, k);
}

int64_t GrayStream::nbytes() const {
  return static_cast<int64_t>(cell_places.size() * sizeof(int64_t) +
                              (places.size() + ends.size()) * sizeof(uint16_t));
}

double expected_gray_additions(const Grid& grid, double zeros) {
  const int values = grid.alphabet == Alphabet::binary ? 1 : 2;  // that are not zero
  const double share = (1 - zeros) / values;                     // of each
  double of_cell = 0;
  double choose = 1;  // how many patterns have i rows that are not zero
  for (int i = 1; i <= grid.k; ++i) {
    choose *= static_cast<double>(values * (grid.k - i + 1)) / i;
    const double likely = std::pow(zeros, grid.k - i) * std::pow(share, i);
    const auto cols = static_cast<double>(grid.tile_cols);
    of_cell += choose * (cols * likely + 1 - std::pow(1 - likely, cols));
  }
  return of_cell * static_cast<double>(grid.cell_count());
}

GrayStream build_gray(const GrayShape& shape,
                      const std::function<void(int64_t row, int8_t* out)>& read_row) {
  GrayStream out;
  static_cast<Grid&>(out) = shape;
  out.stride = shape.stride;
  RSR_CHECK_OP(out.patterns(), <=, 256);
  RSR_CHECK_OP((shape.tile_cols + 1) * shape.stride, <=, 65536);
  const int64_t blocks = out.block_count();
  const int64_t tiles = out.tile_count();
  out.ends = base::AlignedArray<uint16_t>(static_cast<size_t>(out.cell_count() * out.patterns()));
  // Places come block by block and go to their tiles.
  std::vector<std::vector<uint16_t>> of_tile(static_cast<size_t>(tiles));
  std::vector<std::vector<size_t>> begins(static_cast<size_t>(tiles));
  Builder builder(shape, out);
  for (int64_t block = 0; block < blocks; ++block) {
    builder.read_block(block, read_row);
    for (int64_t tile = 0; tile < tiles; ++tile) {
      auto& places = of_tile[static_cast<size_t>(tile)];
      begins[static_cast<size_t>(tile)].push_back(places.size());
      builder.add_cell(tile, places, out.ends.data() + out.cell(block, tile) * out.patterns());
    }
  }
  size_t count = 0;
  for (const auto& places : of_tile) count += places.size();
  out.places = base::AlignedArray<uint16_t>(count);
  count = 0;
  for (size_t tile = 0; tile < of_tile.size(); ++tile) {
    for (const size_t begin : begins[tile]) {
      out.cell_places.push_back(static_cast<int64_t>(count + begin));
    }
    std::copy(of_tile[tile].begin(), of_tile[tile].end(), out.places.data() + count);
    count += of_tile[tile].size();
    of_tile[tile] = {};
  }
  out.cell_places.push_back(static_cast<int64_t>(count));
  return out;
}

}  // namespace rsr::segment
