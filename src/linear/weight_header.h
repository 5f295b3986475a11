// The header of a prepared matrix as bytes: what comes first in the image that weight_bytes.cc
// writes and reads. All numbers are little-endian.
//
//   offset  bytes
//        0      8  magic "RSRWGHT\n"
//        8      4  version, 1
//       12      4  bytes of this header, 128
//       16      8  format as text, padded with zeros: "t5", "t2", "t3", "b1" (drawn in
//                  matrix/format.h) or "groups" (segment/column_groups.h or lane_groups.h: the
//                  payload begins with a magic of its own)
//       24      1  alphabet: 0 is {-1, 0, +1}, 1 is {0, 1}, 2 is {-1, +1}
//       25      1  inputs it was prepared for: 0 any, 1 int8, 2 floats
//       26      1  residency: 0 memory, 1 cache
//       27      1  form of RSR: 0 scatter, 1 fold, 2 gray; 0 for other formats
//       28      4  kind of scales: 0 one for all, 1 per row, 2 per row and group of columns
//       32      8  rows
//       40      8  columns
//       48      8  columns of a group with its own scales; 0 unless the kind is 2
//       56      8  share of zeros among the values, double, 0 to 1
//       64      8  scales: number of floats
//       72      8  payload: offset, a multiple of 64
//       80      8  payload: bytes; the image ends there
//       88      4  scale of the matrix, float (kind 0; in the others it is multiplied in)
//       92     28  zeros
//      120      8  checksum of everything, these 8 bytes taken as zeros
//
// At 128 the scales: nothing (kind 0), float [rows] (1), float [tiles of 16 rows][groups][16] (2,
// zeros for the rows that are missing in the last tile). Zeros up to the payload: the lines of the
// format, or the image of the column groups.
//
// The checksum is that of base/checksum.h.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "matrix/packed.h"
#include "rsr/linear.h"

namespace rsr::linear {

inline constexpr uint64_t kWeightHeaderBytes = 128;
inline constexpr uint64_t kWeightPartAlignment = 64;
inline constexpr uint32_t kWeightVersion = 1;
inline constexpr const char* kGroupsName = "groups";

enum class ScaleKind : uint32_t { matrix, rows, groups };

struct WeightHeader {
  std::string format;
  matrix::Alphabet alphabet = matrix::Alphabet::ternary;
  Inputs inputs = Inputs::any;
  Residency residency = Residency::memory;
  RsrForm form = RsrForm::scatter;
  ScaleKind scale_kind = ScaleKind::matrix;
  int64_t rows = 0;
  int64_t cols = 0;
  int64_t group_size = 0;
  double zero_share = 0;
  uint64_t scale_count = 0;
  uint64_t payload_offset = 0;
  uint64_t payload_bytes = 0;
  float scale = 1.0f;

  int64_t groups() const { return group_size > 0 ? (cols + group_size - 1) / group_size : 1; }
  /// What scale_count must be for kind, shape and groups.
  uint64_t needed_scales() const;
  /// Where the payload must begin.
  uint64_t needed_offset() const;
};

/// Writes the header into an image whose other parts are complete, and then its checksum.
void write_header(const WeightHeader& header, std::span<uint8_t> image);

/// Writes the checksum alone; for tests that change an image.
void write_checksum(std::span<uint8_t> image);

/// How much of an image is looked at.
enum class Check {
  header,   ///< the first 128 bytes alone, whatever the size
  contents  ///< every byte, by the checksum
};

/// Reads and checks the header and, if asked to, the checksum: every field has a meaning, shape and
/// sizes agree with each other and with the size of the image. Errors name the field.
Result<WeightHeader> read_header(std::span<const uint8_t> image, Check check = Check::contents);

}  // namespace rsr::linear
