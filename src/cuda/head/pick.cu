// Which rows can be among those that are needed: their upper bound reaches what the best lower
// bounds leave no doubt of.
//
// The largest lower bounds of tiles belong to different rows, so that of the k largest of them each
// is reached by k scores, and none needs to look at rows one by one. Of n tiles that leaves
// 16 (1 - (1 - k / n)^(1/16)) n rows for k, 7% too many for an eighth of the tiles and 36% for half
// of them; with fewer tiles the rows' own bounds are taken. The k-th largest is found bit by bit:
// how many are not below a trial?
#include "base/check.h"
#include "cuda/head/keys.cuh"
#include "cuda/launch.h"

namespace rsr::cuda::RSR_SIMT {
namespace {

using kernels::kScanTileRows;

constexpr int kThreads = 1024;
constexpr int kBits = 32;

/// Behind it the bounds of tiles, as numbers in the same order.
struct alignas(16) Shared {
  int32_t counts[kBits];  // of each trial
  uint32_t most[kThreads / simt::kWarp];
  int32_t found;
};

/// The largest of the keys of [0, count), for all threads.
RSR_DEVICE uint32_t largest_key(Shared& s, const uint32_t* keys, int count) {
  uint32_t most = 0;
  for (int i = simt::thread(); i < count; i += kThreads) most = keys[i] > most ? keys[i] : most;
  most = simt::warp_max(most);
  if (simt::lane() == 0) s.most[simt::warp()] = most;
  simt::sync();
  static_assert(kThreads / simt::kWarp == simt::kWarp);
  return simt::warp_max(s.most[simt::lane()]);
}

/// The k-th largest.
template <class Key>
RSR_DEVICE uint32_t largest_key(Shared& s, const Key& key, int count, int k) {
  uint32_t found = 0;
  for (int bit = kBits - 1; bit >= 0; --bit) {
    const uint32_t trial = found | uint32_t{1} << bit;
    int32_t reached = 0;
    for (int i = simt::thread(); i < count; i += kThreads) reached += key(i) >= trial ? 1 : 0;
    reached = simt::warp_sum(reached);
    if (simt::lane() == 0) simt::atomic_add(&s.counts[bit], reached);
    simt::sync();
    if (s.counts[bit] >= k) found = trial;
  }
  return found;
}

/// The bounds of this block's state.
RSR_DEVICE HeadBounds bounds_of_state(const HeadPick& p) {
  const int64_t tile = int64_t{simt::block_x()} * p.tiles;
  const int64_t row = tile * kScanTileRows;
  return {p.from.lower + row, p.from.upper + row, p.from.tile_lower + tile,
          p.from.tile_upper + tile};
}

/// At least `best` scores reach it (all of them, where there are fewer).
RSR_DEVICE float sure_score(Shared& s, const HeadBounds& from, const HeadQuery& query,
                            int used_tiles) {
  auto* keys = reinterpret_cast<uint32_t*>(&s + 1);
  const int best = query.best < query.rows ? query.best : query.rows;
  for (int tile = simt::thread(); tile < used_tiles; tile += kThreads) {
    keys[tile] = order_of(from.tile_lower[tile]);
  }
  if (simt::thread() < kBits) s.counts[simt::thread()] = 0;
  if (simt::thread() == 0) s.found = 0;
  simt::sync();
  if (best == 1) return float_of(largest_key(s, keys, used_tiles));
  if (2 * best <= used_tiles) {
    return float_of(largest_key(
        s, [&](int tile) { return keys[tile]; }, used_tiles, best));
  }
  return float_of(largest_key(
      s, [&](int row) { return order_of(from.lower[row]); }, used_tiles * kScanTileRows, best));
}

/// All bounds are asked for before the first is looked at.
RSR_DEVICE void collect_tile(Shared& s, const float* upper_bounds, int tile, int rows, double least,
                             int32_t* ids) {
  const int first = tile * kScanTileRows;
  float upper[kScanTileRows];
  RSR_UNROLL
  for (int i = 0; i < kScanTileRows; ++i) upper[i] = upper_bounds[first + i];
  RSR_UNROLL
  for (int i = 0; i < kScanTileRows; ++i) {
    if (first + i >= rows || !(double{upper[i]} >= least)) continue;
    const int place = simt::atomic_add(&s.found, 1);
    if (place < kHeadMostCandidates) ids[place] = first + i;
  }
}

RSR_KERNEL_BLOCKS(kThreads, 1) pick_rows(HeadPick p) {
  auto& s = simt::shared<Shared>();
  simt::wait_for_previous();
  const int state = simt::block_x();
  HeadResult& result = p.results[state];
  if (p.factors[state].vouched == 0) {
    if (simt::thread() == 0) {
      p.counts[state] = 0;
      result.status = HeadStatus::not_vouched;
      result.candidates = 0;
    }
    return;
  }
  const HeadQuery& query = p.queries[state];
  const HeadBounds from = bounds_of_state(p);
  const int used_tiles = (query.rows + kScanTileRows - 1) / kScanTileRows;
  const double least = double{sure_score(s, from, query, used_tiles)} - query.window;
  int32_t* ids = p.ids + state * kHeadMostCandidates;
  for (int tile = simt::thread(); tile < used_tiles; tile += kThreads) {
    if (double{from.tile_upper[tile]} < least) continue;
    collect_tile(s, from.upper, tile, query.rows, least, ids);
  }
  simt::sync();
  if (simt::thread() != 0) return;
  const bool fits = s.found <= kHeadMostCandidates;
  p.counts[state] = fits ? s.found : 0;
  result.status = fits ? HeadStatus::chosen : HeadStatus::too_many;
  result.candidates = s.found;
}

}  // namespace

Status head_pick(int device, void* stream, const HeadPick& p) {
  RSR_CHECK(p.tiles >= 1 && p.tiles <= kHeadMostTiles);
  const size_t bytes = sizeof(Shared) + static_cast<size_t>(p.tiles) * sizeof(uint32_t);
  return launch(device, stream, {p.states, 1, kThreads, bytes}, pick_rows, p);
}

}  // namespace rsr::cuda::RSR_SIMT
