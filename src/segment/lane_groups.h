// RSR's index for look-ups in registers: every group of columns has its own lane of an accumulator.
//
// As in column_groups.h, W is cut into blocks of k rows and tiles of tile_cols columns, and columns
// of a cell with the same pattern of k digits are a group. k is small here, so that every pattern
// that is not zero has a lane, always the same one; what is missing to whole lines repeats the
// first patterns.
//
//   round    a window of 255 columns (of a tile, from `start` on) and `lines` lines
//   line     64 bytes: 16 lanes of 4 slots; slot s of lane l is byte 4 l + s
//   slot     a column minus `start`; 255: none
//
//   columns    start                                           start + 254
//                | . . . . . . . . . . . . . . . . . . . . . . . . |
//   line 0     | 3 17 90 255 | 0 8 44 201 | 12 255 255 255 | ...   lanes 0 to 15
//   line 1     | ...                                               lanes 16 to 31
//
// A lane's sum over all rounds of a cell is the sum of its group. Windows overlap: the next one
// starts at the first column that found no slot. A column whose own lane is full may be listed in
// two or three others whose patterns add up to its own: + - 0 = (+ 0 0) + (0 - 0). That the lanes
// of a column add up to it, and not that it has one lane, is the invariant.
//
//   cell_rounds   int64 [cells + 1]   rounds of cell c: cell_rounds[c] .. cell_rounds[c+1]-1
//   starts        uint16[rounds]      relative to the tile: 0, or at most its width - 255
//   slots         uint8 [rounds][lines][64]
//
// For random matrices (a third or half of zeros): ternary, k = 4, five lines: a round takes 245
// columns, 2.6 bits per weight; binary, k = 5, two lines: 104 columns, 2.0 bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/aligned.h"
#include "segment/column_groups.h"

namespace rsr::segment {

inline constexpr int kLaneLineBytes = 64;
inline constexpr int kLanesOfLine = 16;
inline constexpr int kSlotsOfLane = 4;
inline constexpr int kLaneWindow = 255;
inline constexpr uint8_t kNoColumn = 255;
inline constexpr int kMaxLaneLines = 5;
inline constexpr int kMaxLanes = kMaxLaneLines * kLanesOfLine;

/// The largest k with a lane for every pattern: 4 (ternary, 80 patterns) or 6 (binary, 63).
int max_lane_k(Alphabet alphabet);

/// Lines of a round.
int lane_lines(Alphabet alphabet, int k);

/// The number of a lane's pattern: binary digits read in base 2, ternary ones plus one in base 3,
/// row 0 the lowest digit. Never that of the all-zero pattern.
int lane_code(Alphabet alphabet, int k, int lane);

/// Digit of row r in a pattern's number.
int code_digit(Alphabet alphabet, int code, int r);

struct LaneGroups : Grid {
  std::vector<int64_t> cell_rounds;
  std::vector<uint16_t> starts;
  base::AlignedArray<uint8_t> slots;

  int lines() const { return lane_lines(alphabet, k); }
  int64_t round_bytes() const { return int64_t{lines()} * kLaneLineBytes; }
  /// Bytes of the three arrays.
  int64_t nbytes() const;
};

/// The lanes of a matrix with at most max_lane_k() rows a block; `order` does not matter. Nothing
/// when it would need more than `most_bits` bits per weight: a matrix of few different columns
/// fills few lanes, and column_groups.h serves it better. Errors are those of build().
Result<std::optional<LaneGroups>> build_lanes(const RowSource& source, int64_t rows, int64_t cols,
                                              const BuildOptions& options, double most_bits);

/// Sizes agree, windows lie inside their tile, slots inside their window, and the lanes of each
/// column add up to digits of the alphabet, zero below the last row.
Status validate(const LaneGroups& lanes);

/// A little-endian image with magic, version and sizes; lanes_from_bytes refuses what validate()
/// refuses.
std::vector<std::byte> to_bytes(const LaneGroups& lanes);
Result<LaneGroups> lanes_from_bytes(std::span<const std::byte> bytes);
/// True for an image that begins with the magic of LaneGroups.
bool is_lanes_image(std::span<const std::byte> bytes);

}  // namespace rsr::segment
