// How a product is cut into passes over runs, and x of a pass brought to shared memory.
#pragma once

#include "cuda/floats/runs.cuh"

namespace rsr::cuda::RSR_SIMT {
namespace {

constexpr int kRunStride = kRunCols + 4;  // floats of a run of x in shared memory

/// A product, and how it is cut: a block takes block_tiles tiles and kTokens tokens (block_y times so
/// many behind first_token), in passes of `slots` runs.
struct Job {
  Floats f;
  int32_t first_token;
  int32_t tiles;
  int32_t block_tiles;
  int32_t slots;        // runs of a pass; a multiple of kWarpRuns
  int32_t group_lines;  // tile_lines without groups
  int32_t groups;
  int32_t group_runs;
  int32_t runs;        // of a row
  int32_t most_lines;  // of a run
  bool quads;          // four elements of x from a multiple of four on can be read at once
};

/// Of a tile.
struct Lines {
  int first;
  int count;  // 0: there is no such run
};

template <class Values>
RSR_DEVICE Lines lines_of(const Job& job, int run) {
  if (run >= job.runs) return {0, 0};
  int first = run * kRunLines<Values>;
  int end = job.f.w.tile_lines;
  if (job.groups > 1) {  // divisions cost more than all else here
    const int group = run / job.group_runs;
    first = group * job.group_lines + run % job.group_runs * kRunLines<Values>;
    if (group + 1 < job.groups) end = (group + 1) * job.group_lines;
  }
  return {first, end - first < kRunLines<Values> ? end - first : kRunLines<Values>};
}

/// `cols` columns of a run from `at` on, as floats, and zeros behind them; by a warp.
template <FloatType type>
RSR_DEVICE void stage_run(const Floats& p, int64_t at, int cols, bool quads, float* to) {
  if (cols == kRunCols && quads) {
    const int col = 4 * simt::lane();
    *reinterpret_cast<Floats4*>(to + col) = widened_quad<type>(p.x, at + col);
    return;
  }
  RSR_UNROLL
  for (int j = simt::lane(); j < kRunCols; j += simt::kWarp) {
    to[j] = j < cols ? widened<type>(p.x, at + j) : 0.0f;
  }
}

/// x of the runs from `first` on; zeros for tokens and runs that are not there.
template <class Values, int kTokens, FloatType type>
RSR_DEVICE void stage(const Job& job, int first, float* x) {
  constexpr int kLineCols = Values::kLineUnits * kUnitCols;
  const int first_token = job.first_token + simt::block_y() * kTokens;
  for (int slot = simt::warp(); slot < job.slots; slot += simt::threads() / simt::kWarp) {
    const Lines lines = lines_of<Values>(job, first + slot);
    const int begin = lines.first * kLineCols;
    const int left = job.f.cols - begin;
    const int cols = lines.count * kLineCols < left ? lines.count * kLineCols : left;
    for (int t = 0; t < kTokens; ++t) {
      const int64_t token = first_token + t;
      stage_run<type>(job.f, token * job.f.x_stride + begin, token < job.f.batch ? cols : 0,
                      job.quads, x + (t * job.slots + slot) * kRunStride);
    }
  }
}

template <class Values, int kTokens>
RSR_DEVICE void stage(const Job& job, int first, float* x) {
  if (job.f.x_type == FloatType::f32) stage<Values, kTokens, FloatType::f32>(job, first, x);
  if (job.f.x_type == FloatType::f16) stage<Values, kTokens, FloatType::f16>(job, first, x);
  if (job.f.x_type == FloatType::bf16) stage<Values, kTokens, FloatType::bf16>(job, first, x);
}

}  // namespace
}  // namespace rsr::cuda::RSR_SIMT
