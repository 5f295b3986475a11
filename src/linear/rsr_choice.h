// Which index RSR has for a product: lanes (segment/lane_groups.h) where there are kernels for them
// and they are not too many bytes, column groups (segment/column_groups.h) for all else.
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
};

/// Whether blocks of k rows have lanes. The matrix has the last word: one of few different columns
/// has none.
bool has_lanes(const RsrQuestion& question, int k);

/// The best k without any measurement.
int choose_block_rows(const RsrQuestion& question);

}  // namespace rsr::linear
