#include "cuda/groups/groups_index.h"

#include <algorithm>
#include <limits>
#include <span>

#include "base/check.h"
#include "cuda/groups/bank_order.h"

namespace rsr::cuda {
namespace {

using segment::ColumnGroups;

/// What the end of a slice costs, in steps: its digits, and the instructions of the last sums.
constexpr int64_t kSliceCost = 4;

constexpr int64_t ceil_div(int64_t n, int64_t by) {
  return (n + by - 1) / by;
}

/// How many groups of a cell have 0, 1, 2, ... columns.
using Lengths = std::vector<int32_t>;

/// Groups of more than `most` columns in parts of about equal length: how many have 0 .. most.
std::vector<int64_t> split_lengths(const Lengths& lengths, int most) {
  std::vector<int64_t> parts(static_cast<size_t>(most) + 1);
  for (size_t n = 1; n < lengths.size(); ++n) {
    if (lengths[n] == 0) continue;
    const int64_t count = ceil_div(static_cast<int64_t>(n), most);
    const size_t shorter = n / static_cast<size_t>(count);
    const int64_t longer = static_cast<int64_t>(n) % count;
    parts[shorter] += (count - longer) * lengths[n];
    if (longer > 0) parts[shorter + 1] += longer * lengths[n];
  }
  return parts;
}

/// What a cell costs, in steps, if no part is longer than `most`.
int64_t cost_of(const Lengths& lengths, int most) {
  const std::vector<int64_t> parts = split_lengths(lengths, most);
  int64_t before = 0;
  int64_t cost = 0;
  for (int64_t n = most; n > 0; --n) {
    const int64_t after = before + parts[static_cast<size_t>(n)];
    // A slice is as long as its first part, which is its longest.
    const int64_t slices = ceil_div(after, kGroupLanes) - ceil_div(before, kGroupLanes);
    cost += slices * (n + kSliceCost);
    before = after;
  }
  return cost;
}

/// The longest part that makes a cell cheapest. Long groups must be cut, so that every lane has
/// work until the end: `columns` over all lanes of one slice, two, three ..., and a bit more.
int best_length(const Lengths& lengths, int64_t columns) {
  const int longest = static_cast<int>(std::min<size_t>(lengths.size() - 1, kMostSteps));
  int best = longest;
  int64_t least = cost_of(lengths, longest);
  for (int64_t slices = 1; slices <= 16; ++slices) {
    for (const int64_t sixteenths : {16, 17, 18, 20, 24}) {
      const int64_t most = ceil_div(columns * sixteenths, int64_t{16} * kGroupLanes * slices);
      if (most >= longest) continue;
      const int64_t cost = cost_of(lengths, static_cast<int>(most));
      if (cost >= least) continue;
      least = cost;
      best = static_cast<int>(most);
    }
  }
  return best;
}

class Packer {
 public:
  Packer(const ColumnGroups& groups, GroupsIndex& out)
      : groups_(groups), out_(out), zeros_at_(zeros_at(groups)) {}

  void run() {
    out_.cell_slices.push_back(0);
    for (int64_t cell = 0; cell < groups_.cell_count(); ++cell) {
      add_cell(cell);
      out_.cell_slices.push_back(static_cast<uint32_t>(out_.starts.size()));
    }
    out_.starts.push_back(steps_);
    // No array is empty: a device need not know what memory of no bytes is.
    if (out_.digits.empty()) out_.digits.push_back(0);
    if (out_.entries.empty()) add_chunk();
  }

 private:
  static int32_t zeros_at(const ColumnGroups& groups) {
    Groups p;
    p.cols = static_cast<int32_t>(groups.cols);
    p.tile_cols = static_cast<int32_t>(groups.tile_cols);
    return p.zeros_at();
  }

  void add_cell(int64_t cell) {
    const std::vector<LaneColumns> parts = parts_of_cell(cell);
    const auto count = ceil_div(static_cast<int64_t>(parts.size()), kGroupLanes);
    // Slices become shorter and shorter; so ranges get every so-manieth of them.
    for (int64_t first = 0; first < kMostParts; ++first) {
      for (int64_t i = first; i < count; i += kMostParts) {
        const auto begin = static_cast<size_t>(i) * kGroupLanes;
        add_slice(
            std::span(parts).subspan(begin, std::min<size_t>(kGroupLanes, parts.size() - begin)));
      }
    }
  }

  /// The groups of a cell, long ones in parts, the longest first.
  std::vector<LaneColumns> parts_of_cell(int64_t cell) const {
    const std::vector<LaneColumns> all = groups_of_cell(cell);
    Lengths lengths(1);
    int64_t columns = 0;
    for (const LaneColumns& group : all) {
      const size_t n = group.columns.size();
      if (n >= lengths.size()) lengths.resize(n + 1);
      ++lengths[n];
      columns += static_cast<int64_t>(n);
    }
    std::vector<LaneColumns> parts;
    if (all.empty()) return parts;
    const int most = best_length(lengths, columns);
    for (const LaneColumns& group : all) split(group, most, parts);
    std::stable_sort(parts.begin(), parts.end(), [](const auto& a, const auto& b) {
      return a.columns.size() > b.columns.size();
    });
    return parts;
  }

  std::vector<LaneColumns> groups_of_cell(int64_t cell) const {
    std::vector<LaneColumns> all;
    const std::span<const uint16_t> columns(groups_.columns);
    const auto first = static_cast<size_t>(groups_.cell_columns[cell]);
    size_t begin = 0;
    for (int64_t g = groups_.cell_groups[cell]; g < groups_.cell_groups[cell + 1]; ++g) {
      const size_t end = groups_.lasts[g] + size_t{1};
      all.push_back({groups_.patterns[g], columns.subspan(first + begin, end - begin)});
      begin = end;
    }
    return all;
  }

  static void split(const LaneColumns& group, int most, std::vector<LaneColumns>& parts) {
    const size_t n = group.columns.size();
    const auto count = static_cast<size_t>(ceil_div(static_cast<int64_t>(n), most));
    for (size_t i = 0; i < count; ++i) {
      const size_t begin = n * i / count;
      parts.push_back({group.pattern, group.columns.subspan(begin, n * (i + 1) / count - begin)});
    }
  }

  void add_slice(std::span<const LaneColumns> lanes) {
    const int steps = static_cast<int>(lanes[0].columns.size());
    out_.starts.push_back(steps_);
    BankOrder order(lanes, steps, zeros_at_);
    for (int s = 0; s < steps; ++s) add_step(order.next());
    add_digits(lanes);
  }

  void add_step(const BankOrder::Step& columns) {
    if (steps_ % kChunkSteps == 0) add_chunk();
    const size_t chunk = steps_ / kChunkSteps;
    for (size_t lane = 0; lane < kGroupLanes; ++lane) {
      out_.entries[(chunk * kGroupLanes + lane) * kChunkSteps + steps_ % kChunkSteps] =
          static_cast<uint16_t>(4 * columns[lane]);
    }
    ++steps_;
  }

  /// Of places 0, which are as good as any where no slice is.
  void add_chunk() { out_.entries.resize(out_.entries.size() + size_t{kGroupLanes} * kChunkSteps); }

  void add_digits(std::span<const LaneColumns> lanes) {
    const int planes = groups_.alphabet == segment::Alphabet::ternary ? 2 : 1;
    for (int plane = 0; plane < planes; ++plane) {
      for (int row = 0; row < groups_.k; ++row) {
        uint32_t word = 0;
        for (size_t lane = 0; lane < lanes.size(); ++lane) {
          const uint32_t digit = lanes[lane].pattern >> (16 * plane + row) & 1U;
          word |= digit << digit_bit(static_cast<int>(lane));
        }
        out_.digits.push_back(word);
      }
    }
  }

  const ColumnGroups& groups_;
  GroupsIndex& out_;
  int32_t zeros_at_;
  uint32_t steps_ = 0;
};

}  // namespace

int64_t GroupsIndex::nbytes() const {
  const size_t bytes = entries.size() * sizeof(uint16_t) +
                       (starts.size() + digits.size() + cell_slices.size()) * sizeof(uint32_t);
  return static_cast<int64_t>(bytes);
}

segment::BuildOptions device_options(segment::Alphabet alphabet, int k) {
  return {alphabet, segment::Order::pattern_value, k, kMostTileCols};
}

Result<GroupsIndex> pack_groups(const ColumnGroups& groups) {
  if (std::min(groups.tile_cols, groups.cols) > kMostTileCols ||
      (groups.tile_count() > 1 && groups.tile_cols % 16 != 0)) {
    return base::error(ErrorCode::unsupported, "tiles of ", groups.tile_cols,
                       " columns on a GPU: at most ", kMostTileCols, ", a multiple of 16");
  }
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  if (groups.rows > kMost - segment::kMaxBlockRows ||
      static_cast<int64_t>(groups.columns.size()) > kMost) {
    return base::error(ErrorCode::limit_exceeded, "an index of ", groups.rows, " rows and ",
                       groups.columns.size(), " columns of blocks is too large for a GPU");
  }
  GroupsIndex out;
  static_cast<segment::Grid&>(out) = groups;
  Packer(groups, out).run();
  return out;
}

}  // namespace rsr::cuda
