// The vector of a head scan: 16-bit integers in two planes, and its part of the bound.
#pragma once

#include <cstdint>

#include "linear/head_scan_form.h"

namespace rsr::linear {

// A logit and everything on the way to it stays below this, or the scan must not be used.
inline constexpr double kHeadMostMagnitude = 1e30;

/// Names as in head_scan.h. Factors are rounded up and enlarged as told there.
struct HeadVector {
  float scale = 0;              // a
  int32_t high_correction = 0;  // 128 * sum of the high bytes, which the codes' offset adds
  int32_t low_correction = 0;
  float outliers = 0;    // A
  float rest = 0;        // B
  float others = 0;      // C
  double magnitude = 0;  // |x| + P; not a number, or infinite, when x is
};

/// Writes the planes of the vector `values`, times the column factors of the form, in steps as
/// kernels/scan/scan.h draws them.
HeadVector make_head_vector(const float* values, const HeadScanForm& form, int8_t* planes);

}  // namespace rsr::linear
