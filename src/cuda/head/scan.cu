// Bounds of all scores: the table in eight bits is read once, in order, and that is what takes the
// time, for one state or several.
//
// A warp takes a tile of 16 rows. Lane 4g + t loads the bytes of rows 2g and 2g + 1 of line t, of
// four lines: 256 bytes in order, which are operand A of an instruction as they come (rows 2g are
// its rows g, rows 2g + 1 its rows g + 8; lines t and t + 4 are its halves of k). Operand B has
// the high planes of four states in even columns and their low planes in odd ones: lane 4g + t is
// left with both sums of state t, of both rows. Of fewer states, columns repeat the first one;
// five states and more take two instructions.
//
// Bytes on their way: a warp asks for its next 1 KB of lines before it multiplies the last; 32
// warps of a multiprocessor keep 32 KB asked for, where 4.3 TB/s at 0.8 us need 26 KB.
#include "base/check.h"
#include "cuda/head/keys.cuh"
#include "cuda/launch.h"

namespace rsr::cuda::RSR_SIMT {
namespace {

using kernels::kScanLineBytes;
using kernels::kScanTileRows;

constexpr int kWarps = 4;
constexpr int kThreads = kWarps * simt::kWarp;
constexpr int kBlocks = 8;  // of a multiprocessor: 64 registers a thread
constexpr int kLoads = 4;   // of a turn, four lines each
constexpr int kLoadLines = 4;
constexpr int kTurnLines = kLoads * kLoadLines;
constexpr int kStates = 4;  // of an instruction
constexpr int kRows = 2;    // of a lane
static_assert(kTurnLines == kHeadChunkSteps);
// Above all that underflow can do, as in linear/head_scan.cc.
constexpr float kTiny = 1e-30f;

/// The way of a lane along the lines of a tile; zeros behind the last one.
class Lines {
 public:
  RSR_DEVICE Lines(const HeadScan& p, int tile, int g, int t)
      : at_(p.lines + (int64_t{tile} * p.steps + t) * kScanLineBytes + 8 * g), left_(p.steps - t) {}

  RSR_DEVICE void read(simt::Words2 (&words)[kLoads]) {
    RSR_UNROLL
    for (int i = 0; i < kLoads; ++i) {
      words[i] = {};
      const auto* from =
          reinterpret_cast<const simt::Words2*>(at_ + i * kLoadLines * kScanLineBytes);
      if (i * kLoadLines < left_) words[i] = simt::load_in_order(from);
    }
    at_ += kTurnLines * kScanLineBytes;
    left_ -= kTurnLines;
  }

 private:
  const uint8_t* at_;
  int left_;
};

/// What the form knows of a lane's rows.
struct RowValues {
  float scale[kRows];
  float error_max[kRows];
  float error_norm[kRows];
  float norm[kRows];
};
RSR_DEVICE RowValues row_values(const HeadScan& p, int row) {
  const int64_t rows = int64_t{p.tiles} * kScanTileRows;
  RowValues values;
  RSR_UNROLL
  for (int i = 0; i < kRows; ++i) {
    const float* at = p.row_values + row + i;
    values.scale[i] = at[0];
    values.error_max[i] = at[rows];
    values.error_norm[i] = at[2 * rows];
    values.norm[i] = at[3 * rows];
  }
  return values;
}

/// The beginning of a warp's tile comes into the second cache while the kernel in front still runs:
/// 17 MB in all, 4 us of a memory of 4.3 TB/s.
RSR_DEVICE void prefetch_tile(const HeadScan& p, int tile) {
  constexpr int kMost = 4 << 10;
  const int64_t bytes = int64_t{p.steps} * kScanLineBytes;
  simt::prefetch(p.lines + tile * bytes, static_cast<int>(bytes < kMost ? bytes : kMost));
}

struct Bounds {
  float lower;
  float upper;
};

/// As HeadScan::bound_tile, rounding for rounding: given the same factors, the same bounds.
RSR_DEVICE Bounds bounds_of(const HeadFactors& x, const RowValues& row, int i, int32_t high,
                            int32_t low) {
  const float product = static_cast<float>(high - x.high_correction) * 256.0f +
                        static_cast<float>(low - x.low_correction);
  const float logit = product * (row.scale[i] * x.scale);
  const float radius =
      row.error_max[i] * x.outliers + row.error_norm[i] * x.rest + row.norm[i] * x.others + kTiny;
  return {logit - radius, logit + radius};
}

/// Of scores, for which padding rows do not count. A score rises with its logit.
RSR_DEVICE Bounds after_changes(const HeadScan& p, const HeadQuery& query, int row,
                                const Bounds& of_logit) {
  const float none = simt::from_bits(kInfinityBits | kSign);
  if (row >= query.rows) return {none, none};
  return {score_of_row(query, p.changes, row, of_logit.lower),
          score_of_row(query, p.changes, row, of_logit.upper)};
}

/// The largest of a tile, of which every fourth lane has rows of the same state.
RSR_DEVICE float largest_of_tile(float value) {
  RSR_UNROLL
  for (int mask = 4; mask < simt::kWarp; mask *= 2) {
    const float other = simt::shuffle_xor(value, mask);
    value = value < other ? other : value;
  }
  return value;
}

/// High and low sums of 16 rows times kStates states, of each group: c as mma_u8_s8 leaves it.
template <int groups>
RSR_DEVICE void multiply_tile(const HeadScan& p, Lines& lines, simt::Words2 (&next)[kLoads],
                              int32_t (&c)[groups][4]) {
  const int g = simt::lane() / 4;
  const int t = simt::lane() % 4;
  const auto stride = head_plane_bytes(p.steps) / static_cast<int64_t>(sizeof(simt::Words4));
  const simt::Words4* x[groups];
  RSR_UNROLL
  for (int group = 0; group < groups; ++group) {
    const int state = group * kStates + g / 2;
    x[group] = reinterpret_cast<const simt::Words4*>(p.planes) +
               (state < p.states ? state : 0) * stride + 2 * t + g % 2;
  }
  for (int left = p.steps; left > 0; left -= kTurnLines) {
    simt::Words4 in[groups];
    RSR_UNROLL
    for (int group = 0; group < groups; ++group) {
      in[group] = *x[group];
      x[group] += 8;
    }
    simt::Words2 words[kLoads];
    RSR_UNROLL
    for (int i = 0; i < kLoads; ++i) words[i] = next[i];
    lines.read(next);
    simt::warp_sync();  // else the compiler asks for some of it after waiting for the rest
    RSR_UNROLL
    for (int i = 0; i < kLoads; i += 2) {
      const uint32_t a[4] = {words[i].w[0], words[i].w[1], words[i + 1].w[0], words[i + 1].w[1]};
      RSR_UNROLL
      for (int group = 0; group < groups; ++group) {
        simt::mma_u8_s8(c[group], a, {in[group].w[i], in[group].w[i + 1]});
      }
    }
  }
}

/// What a lane has found of its rows for a state. All lanes of the warp call it.
RSR_DEVICE void write_bounds(const HeadScan& p, int state, int tile, const RowValues& values,
                             const int32_t (&c)[4]) {
  const bool is_one = state < p.states && p.factors[state].vouched != 0;
  const int first = tile * kScanTileRows + kRows * (simt::lane() / 4);
  const int64_t tiles = int64_t{state} * p.tiles;
  Bounds most = {};
  if (is_one) {
    const HeadFactors x = p.factors[state];
    RSR_UNROLL
    for (int i = 0; i < kRows; ++i) {
      const Bounds bounds = after_changes(p, p.queries[state], first + i,
                                          bounds_of(x, values, i, c[2 * i], c[2 * i + 1]));
      p.to.lower[tiles * kScanTileRows + first + i] = bounds.lower;
      p.to.upper[tiles * kScanTileRows + first + i] = bounds.upper;
      if (i == 0 || bounds.lower > most.lower) most.lower = bounds.lower;
      if (i == 0 || bounds.upper > most.upper) most.upper = bounds.upper;
    }
  }
  most = {largest_of_tile(most.lower), largest_of_tile(most.upper)};
  if (!is_one || simt::lane() / 4 != 0) return;
  p.to.tile_lower[tiles + tile] = most.lower;
  p.to.tile_upper[tiles + tile] = most.upper;
}

template <int groups>
RSR_KERNEL_BLOCKS(kThreads, kBlocks)
scan_tiles(HeadScan p) {
  const int tile = simt::block_x() * kWarps + simt::warp();
  if (tile >= p.tiles) {  // the whole warp; there is no barrier of the block
    simt::wait_for_previous();
    return;
  }
  const int g = simt::lane() / 4;
  const int t = simt::lane() % 4;
  Lines lines(p, tile, g, t);
  simt::Words2 next[kLoads];
  lines.read(next);
  if (simt::lane() == 0) prefetch_tile(p, tile);
  const RowValues values = row_values(p, tile * kScanTileRows + kRows * g);
  simt::wait_for_previous();  // what reads constants only comes first
  int32_t c[groups][4] = {};
  multiply_tile(p, lines, next, c);
  RSR_UNROLL
  for (int group = 0; group < groups; ++group) {
    write_bounds(p, group * kStates + t, tile, values, c[group]);
  }
}

}  // namespace

Status head_scan(int device, void* stream, const HeadScan& p) {
  RSR_CHECK(p.states >= 1 && p.states <= kHeadMostStates);
  const simt::Launch how = {simt::ceil_div(p.tiles, kWarps), 1, kThreads, 0};
  return launch(device, stream, how, p.states <= kStates ? scan_tiles<1> : scan_tiles<2>, p);
}

}  // namespace rsr::cuda::RSR_SIMT
