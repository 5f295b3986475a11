// Which k is best for RSR's column groups on a device: measured, since bytes and look-ups pull in
// different directions.
#pragma once

#include <span>
#include <vector>

#include "cuda/device.h"
#include "segment/column_groups.h"

namespace rsr::cuda {

struct TimeOfK {
  int k = 0;
  float milliseconds = 0;  // of one product
  int64_t nbytes = 0;      // of the index
};

struct ChooseK {
  segment::Alphabet alphabet = segment::Alphabet::ternary;  // signs: binary, their ones
  bool signs = false;
  int batch = 1;
  int products = 20;  // so many in a row are timed
};

/// k that are worth trying for a matrix of so many columns: those with 1 to 64 columns for each of
/// the b^k patterns. Longer groups waste bytes, shorter ones are ends of slices more than anything
/// else.
std::vector<int> likely_k(segment::Alphabet alphabet, int64_t cols);

/// Builds, uploads and times an index for each k, one after the other. Products repeat, so that the
/// index of a small matrix comes from the device's cache. Errors: those of segment::build(), and of
/// the device.
Result<std::vector<TimeOfK>> choose_k(Stream& stream, const segment::RowSource& source,
                                      int64_t rows, int64_t cols, std::span<const int> candidates,
                                      const ChooseK& how);

/// The k of the shortest time; `times` is not empty.
int fastest_k(std::span<const TimeOfK> times);

}  // namespace rsr::cuda
