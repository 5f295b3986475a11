// Operations head_vector, head_scan, head_pick and head_choose: the next token from the state of
// the last one, by a scan of the LM head in eight bits, without the host. The bound and its proof
// are linear/head_scan.h's, the choice is engine/sampler.h's: the same token for the same seed.
//
//   head_vector   x -> integers of 16 bits in two planes, and x's part of the bound
//   head_scan     bounds of all scores, and the largest of each tile of 16 rows
//   head_pick     which rows can be among those that the choice needs
//   dense         (cuda/dense) their logits in full
//   head_choose   the token
//
// Everything that changes from token to token is in a HeadQuery in device memory. Where the scan
// cannot tell, the status says why, and the operations behind do nothing.
#pragma once

#include <cstdint>

#include "kernels/scan/scan.h"

namespace rsr::cuda {

inline constexpr int32_t kHeadMostCandidates = 2048;
inline constexpr int32_t kHeadMostBest = 1024;
inline constexpr int32_t kHeadMostUpdates = 16;
inline constexpr int32_t kHeadMostTiles = 49152;  // whose bounds fit in shared memory: 192 KB
inline constexpr int32_t kHeadChunkSteps = 16;    // of four columns, which a warp takes at a time

/// What is known of a token whose score changes: engine/penalties.h has the meaning.
struct alignas(16) HeadChange {
  int32_t seen = 0;
  int32_t biased = 0;
  float bias = 0;
  int32_t generated = 0;
};

/// What has become of an entry of the table of changes.
struct HeadUpdate {
  int32_t id = 0;
  HeadChange change;
};

/// What is asked: the host writes it, the device reads a copy.
struct HeadQuery {
  double uniform = 0;  // of the draw: [0, 1)
  double window = 0;   // rows less than this below the last of the best are needed, too
  int32_t best = 1;    // rows that are needed, at most kHeadMostBest
  int32_t rows = 0;    // of the table, the first so many; the others (padding) do not count
  float temperature = 0;
  int32_t top_k = 0;
  float top_p = 1;
  float min_p = 0;
  int32_t changes = 0;  // whether scores change; else nobody reads the following, nor the table
  float repetition = 1;
  float presence = 0;
  float frequency = 0;
  int32_t updates = 0;  // entries of the table that are written first
  HeadUpdate update[kHeadMostUpdates] = {};
};

enum class HeadStatus : int32_t {
  chosen,
  not_vouched,  // the state is not finite, or too large for the bound
  too_many,     // candidates
  not_finite    // a candidate's logit
};

struct HeadResult {
  HeadStatus status = HeadStatus::chosen;
  int32_t id = 0;
  int32_t candidates = 0;
};

/// The vector's part of the bound: names as in linear/head_vector.h.
struct HeadFactors {
  int32_t vouched = 0;
  float scale = 0;
  int32_t high_correction = 0;
  int32_t low_correction = 0;
  float outliers = 0;
  float rest = 0;
  float others = 0;
};

/// Bytes of the planes of a vector, of so many steps of four columns: [chunks][4][2][4] words of
/// four columns; word i of [t][plane] is step 4 i + t of the chunk. Zeros behind the last column.
constexpr int64_t head_plane_bytes(int64_t steps) {
  return (steps + kHeadChunkSteps - 1) / kHeadChunkSteps * kHeadChunkSteps * kernels::kScanXBytes;
}

/// One block. The query's updates go to the table of changes here.
struct HeadVector {
  const float* x = nullptr;               // [cols]
  const float* column_factors = nullptr;  // [cols], powers of two
  int32_t cols = 0;                       // at most kernels::kScanMaxCols
  float largest_norm = 0;                 // of the form
  double error_ratio = 0;
  const HeadQuery* query = nullptr;
  HeadChange* changes = nullptr;  // [rows of the table]
  uint32_t* planes = nullptr;     // on a 16-byte boundary
  HeadFactors* factors = nullptr;
};

/// Bounds of scores, rounded outwards: by row, and the largest of each tile. Rows behind the
/// query's have -infinity.
struct HeadBounds {
  float* lower = nullptr;       // [tiles * 16]
  float* upper = nullptr;       // the same
  float* tile_lower = nullptr;  // [tiles]
  float* tile_upper = nullptr;
};

struct HeadScan {
  const uint8_t* lines = nullptr;     // [tiles][steps][64], as kernels/scan/scan.h draws them
  const float* row_values = nullptr;  // [4][tiles * 16]: scale, largest |error|, |error|, norm
  int32_t tiles = 0;
  int32_t steps = 0;
  const uint32_t* planes = nullptr;
  const HeadFactors* factors = nullptr;
  const HeadQuery* query = nullptr;
  const HeadChange* changes = nullptr;
  HeadBounds to;
};

/// One block. The candidates hold every row that the query needs, ties included; in any order. The
/// result's id stays as it is; there is no candidate where the status is not `chosen`.
struct HeadPick {
  HeadBounds from;
  int32_t tiles = 0;  // at most kHeadMostTiles
  const HeadFactors* factors = nullptr;
  const HeadQuery* query = nullptr;
  int32_t* ids = nullptr;  // [kHeadMostCandidates]
  int32_t* count = nullptr;
  HeadResult* result = nullptr;
};

/// One block.
struct HeadChoose {
  const int32_t* ids = nullptr;  // [*count], different ones
  const int32_t* count = nullptr;
  const float* logits = nullptr;  // by place
  const HeadQuery* query = nullptr;
  const HeadChange* changes = nullptr;
  HeadResult* result = nullptr;  // *count is 0: nothing is written
};

}  // namespace rsr::cuda
