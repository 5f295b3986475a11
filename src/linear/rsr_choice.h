// Which index RSR has for a product: lanes (segment/lane_groups.h) for integers where bytes can be
// permuted, slices (segment/group_slices.h) where there are gathers, and column groups
// (segment/column_groups.h) for all else.
#pragma once

#include <cstdint>

#include "base/cpu.h"
#include "rsr/linear.h"
#include "segment/column_groups.h"

namespace rsr::linear {

/// More bits per weight than this, and the index is not made of lanes: narrow groups of columns and
/// matrices of few different columns leave most slots empty. Column groups take about 3.
inline constexpr double kMostLaneBits = 7;

struct RsrQuestion {
  base::Isa isa = base::Isa::reference;
  RsrForm form = RsrForm::scatter;
  segment::Alphabet alphabet = segment::Alphabet::ternary;
  int64_t rows = 1;
  int64_t tile_cols = 1;
  bool floats = false;  // inputs are known to be floats
};

enum class RsrIndex { groups, lanes, slices };
const char* index_name(RsrIndex index);

/// The index for blocks of k rows. The matrix has the last word: one of few different columns has
/// no lanes.
RsrIndex choose_index(const RsrQuestion& question, int k);

/// The best k without any measurement.
int choose_block_rows(const RsrQuestion& question);

}  // namespace rsr::linear
