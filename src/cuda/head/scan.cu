// Bounds of all scores: the table in eight bits is read once, in order, and that is what takes the
// time.
//
// A warp takes a tile of 16 rows. Lane 4g + t loads the bytes of rows 2g and 2g + 1 of line t, of
// four lines: 256 bytes in order, which are operand A of an instruction as they come (rows 2g are
// its rows g, rows 2g + 1 its rows g + 8; lines t and t + 4 are its halves of k). Operand B has the
// vector's high plane in even columns and its low plane in odd ones, so that columns 0 and 1 of the
// sums, which lanes 4g hold, are what is wanted; the others repeat them.
//
// Bytes on their way: a warp asks for its next 1 KB of lines before it multiplies the last; 32
// warps of a multiprocessor keep 32 KB asked for, where 4.3 TB/s at 0.8 us need 26 KB.
#include "cuda/head/scores.cuh"
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

/// What the form knows of a row.
struct RowValues {
  float scale;
  float error_max;
  float error_norm;
  float norm;
};
RSR_DEVICE RowValues row_values(const HeadScan& p, int row) {
  const int64_t rows = int64_t{p.tiles} * kScanTileRows;
  const float* at = p.row_values + row;
  return {at[0], at[rows], at[2 * rows], at[3 * rows]};
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
RSR_DEVICE Bounds bounds_of(const HeadFactors& x, const RowValues& row, int32_t high, int32_t low) {
  const float product = static_cast<float>(high - x.high_correction) * 256.0f +
                        static_cast<float>(low - x.low_correction);
  const float logit = product * (row.scale * x.scale);
  const float radius =
      row.error_max * x.outliers + row.error_norm * x.rest + row.norm * x.others + kTiny;
  return {logit - radius, logit + radius};
}

/// Of scores, for which padding rows do not count.
RSR_DEVICE Bounds after_changes(const HeadScan& p, int row, const Bounds& of_logit) {
  const HeadQuery& query = *p.query;
  const float none = simt::from_bits(kInfinityBits | kSign);
  if (row >= query.rows) return {none, none};
  if (query.changes == 0) return of_logit;
  const HeadChange change = p.changes[row];
  if (change.seen == 0 && change.biased == 0) return of_logit;
  return {round_down(changed(query, change, double{of_logit.lower})),
          round_up(changed(query, change, double{of_logit.upper}))};
}

/// The largest of a tile, whose rows lie in two lanes of every four.
RSR_DEVICE float largest_of_tile(float value) {
  const auto join = [&](int mask) {
    const float other = simt::shuffle_xor(value, mask);
    value = value < other ? other : value;
  };
  join(1);
  RSR_UNROLL
  for (int mask = 4; mask < simt::kWarp; mask *= 2) join(mask);
  return value;
}

/// High and low sums of 16 rows: c as mma_u8_s8 leaves it.
RSR_DEVICE void multiply_tile(const HeadScan& p, Lines& lines, simt::Words2 (&next)[kLoads],
                              int32_t (&c)[4]) {
  const int g = simt::lane() / 4;
  const int t = simt::lane() % 4;
  const auto* x = reinterpret_cast<const simt::Words4*>(p.planes) + 2 * t + g % 2;
  for (int left = p.steps; left > 0; left -= kTurnLines) {
    const simt::Words4 in = *x;
    simt::Words2 words[kLoads];
    RSR_UNROLL
    for (int i = 0; i < kLoads; ++i) words[i] = next[i];
    lines.read(next);
    x += 8;
    simt::warp_sync();  // else the compiler asks for some of it after waiting for the rest
    RSR_UNROLL
    for (int i = 0; i < kLoads; i += 2) {
      const uint32_t a[4] = {words[i].w[0], words[i].w[1], words[i + 1].w[0], words[i + 1].w[1]};
      simt::mma_u8_s8(c, a, {in.w[i], in.w[i + 1]});
    }
  }
}

RSR_KERNEL_BLOCKS(kThreads, kBlocks) scan_tiles(HeadScan p) {
  const int tile = simt::block_x() * kWarps + simt::warp();
  if (tile >= p.tiles) {  // the whole warp; there is no barrier of the block
    simt::wait_for_previous();
    return;
  }
  const int g = simt::lane() / 4;
  const int t = simt::lane() % 4;
  // Lanes 0 and 1 of every four take a row each, and 2 and 3 do the same again.
  const int in_tile = 2 * g + t % 2;
  const int row = tile * kScanTileRows + in_tile;
  Lines lines(p, tile, g, t);
  simt::Words2 next[kLoads];
  lines.read(next);
  if (simt::lane() == 0) prefetch_tile(p, tile);
  const RowValues values = row_values(p, row);
  simt::wait_for_previous();  // what reads constants only comes first
  const HeadFactors factors = *p.factors;
  if (factors.vouched == 0) return;
  int32_t c[4] = {};
  multiply_tile(p, lines, next, c);
  const int from = 4 * g;  // the lane that has columns 0 and 1
  const int32_t even[2] = {simt::shuffle(c[0], from), simt::shuffle(c[1], from)};
  const int32_t odd[2] = {simt::shuffle(c[2], from), simt::shuffle(c[3], from)};
  const Bounds bounds = after_changes(
      p, row,
      bounds_of(factors, values, t % 2 == 0 ? even[0] : odd[0], t % 2 == 0 ? even[1] : odd[1]));
  const float lower = largest_of_tile(bounds.lower);
  const float upper = largest_of_tile(bounds.upper);
  if (t < 2) {
    p.to.lower[row] = bounds.lower;
    p.to.upper[row] = bounds.upper;
  }
  if (simt::lane() != 0) return;
  p.to.tile_lower[tile] = lower;
  p.to.tile_upper[tile] = upper;
}

}  // namespace

Status head_scan(int device, void* stream, const HeadScan& p) {
  return launch(device, stream, {simt::ceil_div(p.tiles, kWarps), 1, kThreads, 0}, scan_tiles, p);
}

}  // namespace rsr::cuda::RSR_SIMT
