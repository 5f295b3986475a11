// Operations of the head: the next tokens from the states of the last ones, without the host. The
// choice is engine/sampler.h's: the same token for the same seed.
//
// By a scan of the LM head in eight bits, whose bound and its proof are linear/head_scan.h's:
//   head_vector   x -> integers of 16 bits in two planes, and x's part of the bound
//   head_scan     bounds of all scores, and the largest of each tile of 16 rows
//   head_pick     which rows can be among those that the choice needs
//   dense         (cuda/dense) their logits in full
//   head_choose   the token
// Where the scan cannot tell, the status says why, and the operations behind do nothing.
//
// By all logits:
//   dense         (cuda/dense) the logits
//   head_scores   what becomes of them by penalties and biases, and the best
//   head_narrow   five times: where top-k ends
//   head_weigh    how likely each token is beside the best: base/token_weight.h
//   head_narrow   five times: where top-p ends
//   head_draw     the token
//
// Each works for several states at once, with a query and a result each. Everything that changes
// from token to token is in the queries, in device memory.
#pragma once

#include <cstdint>

#include "kernels/scan/scan.h"

namespace rsr::cuda {

inline constexpr int32_t kHeadMostStates = 8;
inline constexpr int32_t kHeadMostCandidates = 2048;
inline constexpr int32_t kHeadMostBest = 1024;
inline constexpr int32_t kHeadMostTiles = 49152;  // whose bounds fit in shared memory: 192 KB
inline constexpr int32_t kHeadChunkSteps = 16;    // of four columns, which a warp takes at a time

/// What is known of a token whose score changes.
struct alignas(16) HeadChange {
  int32_t seen = 0;  // in the context, or generated
  int32_t biased = 0;
  float bias = 0;
  int32_t generated = 0;  // how often
};

struct HeadPenalties {
  float repetition = 1;
  float presence = 0;
  float frequency = 0;
};

/// A score after, in this order: repetition, bias, presence and frequency. In double, one rounding
/// each, and one to float at the end; a finite score stays finite. The higher the score, the higher
/// (or equal) the result: bounds become bounds.
constexpr float changed(const HeadPenalties& penalties, const HeadChange& change, float score) {
  constexpr double kMost = 0x1.FFFFFEp127;
  if (!(score >= -kMost && score <= kMost)) return score;
  const double repetition = penalties.repetition;
  double result = score;
  if (change.seen != 0) result = result < 0.0 ? result * repetition : result / repetition;
  if (change.biased != 0) result += change.bias;
  if (change.generated != 0) {
    const double presence = penalties.presence;
    const double frequency = penalties.frequency;
    result -= presence + frequency * static_cast<double>(change.generated);
  }
  if (result > kMost) result = kMost;
  if (result < -kMost) result = -kMost;
  return static_cast<float>(result);
}

/// What has become of an entry of the table of changes.
struct HeadUpdate {
  int32_t id = 0;
  HeadChange change;
};

/// What is asked of a state.
struct HeadQuery {
  uint64_t number = 0;        // of the draw, in units of 2^-64
  uint64_t top_p = 0;         // in units of 2^-64; 0 keeps all
  uint64_t least_weight = 0;  // that min-p keeps
  double window = 0;          // rows less than this below the last of the best are needed, too
  int32_t best = 1;           // rows that are needed, at most kHeadMostBest
  int32_t rows = 0;           // of the table, the first so many; the others (padding) do not count
  float temperature = 0;
  int32_t top_k = 0;    // 0 keeps all
  int32_t changes = 0;  // whether scores change; else nobody reads the following, nor the table
  HeadPenalties penalties = {};
  int32_t overrides = 0;  // entries of the table that are others for this state, the latest last
  HeadUpdate override[kHeadMostStates - 1] = {};
};

enum class HeadStatus : int32_t {
  chosen,
  not_vouched,  // the state is not finite, or too large for the bound
  too_many,     // candidates
  not_finite    // a logit that is NaN or plus infinity, of a candidate also minus infinity; or all
};

struct HeadResult {
  HeadStatus status = HeadStatus::chosen;
  int32_t id = 0;
  int32_t candidates = 0;  // of a scan
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

/// A block for each state.
struct HeadVector {
  const float* x = nullptr;               // [states][cols]
  const float* column_factors = nullptr;  // [cols], powers of two
  int32_t states = 0;
  int32_t cols = 0;        // at most kernels::kScanMaxCols
  float largest_norm = 0;  // of the form
  double error_ratio = 0;
  uint32_t* planes = nullptr;      // [states][head_plane_bytes], on a 16-byte boundary
  HeadFactors* factors = nullptr;  // [states]
};

/// Bounds of scores, by row, and the largest of each tile. Rows behind the query's have -infinity.
struct HeadBounds {
  float* lower = nullptr;       // [states][tiles * 16]
  float* upper = nullptr;       // the same
  float* tile_lower = nullptr;  // [states][tiles]
  float* tile_upper = nullptr;
};

struct HeadScan {
  const uint8_t* lines = nullptr;     // [tiles][steps][64], as kernels/scan/scan.h draws them
  const float* row_values = nullptr;  // [4][tiles * 16]: scale, largest |error|, |error|, norm
  int32_t states = 0;                 // at most kHeadMostStates
  int32_t tiles = 0;
  int32_t steps = 0;
  const uint32_t* planes = nullptr;
  const HeadFactors* factors = nullptr;
  const HeadQuery* queries = nullptr;   // [states]
  const HeadChange* changes = nullptr;  // [rows of the table]
  HeadBounds to;
};

/// A block for each state. The candidates hold every row that the query needs, ties included; in
/// any order. The result's id stays as it is; there is no candidate where the status is not
/// `chosen`.
struct HeadPick {
  HeadBounds from;
  int32_t states = 0;
  int32_t tiles = 0;  // at most kHeadMostTiles
  const HeadFactors* factors = nullptr;
  const HeadQuery* queries = nullptr;
  int32_t* ids = nullptr;         // [states][kHeadMostCandidates]
  int32_t* counts = nullptr;      // [states]
  HeadResult* results = nullptr;  // [states]
};

/// A block for each state.
struct HeadChoose {
  int32_t states = 0;
  const int32_t* ids = nullptr;     // [states][kHeadMostCandidates], different ones of each state
  const int32_t* counts = nullptr;  // [states]; of 0 nothing is written
  const float* logits = nullptr;    // [states][kHeadMostCandidates], by place
  const HeadQuery* queries = nullptr;
  const HeadChange* changes = nullptr;
  HeadResult* results = nullptr;
};

inline constexpr int32_t kHeadIdBits = 20;
inline constexpr int32_t kHeadMostRows = 1 << kHeadIdBits;
inline constexpr int32_t kHeadBlockRows = 1024;  // of a block
inline constexpr int32_t kHeadDigits = 5;        // of a key, 12 bits each
inline constexpr int32_t kHeadDigitValues = 1 << 12;

/// What the operations on all logits find out of a state. Zeros before head_scores; head_draw
/// leaves zeros.
struct HeadCut {
  uint64_t best = 0;              // the largest key of a score
  uint64_t least_score_key = 0;   // keys from here on are kept: by top-k,
  uint64_t least_weight_key = 0;  // and by top-p
  uint64_t total = 0;             // of the weights that top-k keeps
  uint64_t left = 0;              // to be found among keys that begin as the least one does
  int32_t not_finite = 0;
  int32_t arrived = 0;  // blocks
};

struct HeadTokens {
  int32_t states = 0;
  int32_t rows = 0;  // of the table, at most kHeadMostRows
  const HeadQuery* queries = nullptr;
  HeadCut* cuts = nullptr;      // [states]
  float* scores = nullptr;      // [states][rows]
  uint64_t* weights = nullptr;  // [states][rows]
};

struct HeadScores {
  HeadTokens of;
  const float* logits = nullptr;        // [states][rows]
  const HeadChange* changes = nullptr;  // [rows]
};

struct HeadWeigh {
  HeadTokens of;
};

/// A digit of the key at which a cut ends, the first one first. A key is a score or a weight, then
/// the id, lower ids before higher ones: no two are equal.
struct HeadNarrow {
  HeadTokens of;
  bool by_weight = false;       // the weights that top-p keeps, else the tokens that top-k keeps
  int32_t digit = 0;            // 0 to kHeadDigits - 1
  uint64_t* buckets = nullptr;  // [states][kHeadDigitValues]; zeros before and behind
};

struct HeadDraw {
  HeadTokens of;
  uint64_t* sums = nullptr;  // [states][blocks of kHeadBlockRows rows]
  HeadResult* results = nullptr;
};

}  // namespace rsr::cuda
