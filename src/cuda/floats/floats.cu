// A block takes some tiles of 16 rows and all columns, up to `slots` runs side by side: a thread
// sums one run of a pair of rows (runs.cuh), leaves it in shared memory, and then one thread for
// each row and token adds the runs in their order in double. A tile of 20 runs (2,560 columns) is
// one pass.
//
// A warp is 8 pairs by 4 runs: each load of a line reads 4 pieces of 64 bytes. A thread asks for 32
// bytes (b1, and batches from 3 on: 16) before x is staged, and then for as many while it works on
// those: with 1,536 threads of 40 registers 24 to 48 KB of a multiprocessor are on their way. In shared
// memory the runs of a warp's lanes lie in different banks.
#include "base/check.h"
#include "cuda/floats/runs.cuh"
#include "cuda/floats/stage.cuh"
#include "cuda/launch.h"

namespace rsr::cuda::RSR_SIMT {
namespace {

constexpr int kTileRows = matrix::kTileRows;
constexpr int kPairs = kTileRows / kPairRows;
constexpr int kMostThreads = 256;
constexpr int kMostTokens = 8;
constexpr int kWarpRuns = simt::kWarp / kPairs;
constexpr int kBusyBlocks = 264;  // two for each multiprocessor of a large device

/// The block's shared memory.
struct Memory {
  float* x;      // [tokens][slots][kRunStride]
  float* runs;   // [block_tiles][tokens][slots][kTileRows]
  double* sums;  // [block_tiles][tokens][kTileRows]
};

template <int kTokens>
RSR_DEVICE Memory memory_of(const Job& job) {
  float* x = &simt::shared<float>();
  float* runs = x + kTokens * job.slots * kRunStride;
  float* end = runs + job.block_tiles * kTokens * job.slots * kTileRows;
  return {x, runs, reinterpret_cast<double*>(end)};
}

template <int kTokens>
size_t memory_bytes(const Job& job) {
  const int run_floats = kRunStride + job.block_tiles * kTileRows;
  return sizeof(float) * static_cast<size_t>(kTokens * job.slots * run_floats) +
         sizeof(double) * static_cast<size_t>(job.block_tiles * kTokens * kTileRows);
}

/// Where a thread works: a pair of rows, a run of the pass, a tile of the block.
struct Place {
  int pair;
  int slot;
  int tile;
};

/// Halves of what sum_run() gave into to[token * token_stride + row].
template <class Values, int kTokens>
RSR_DEVICE void keep_sums(const float (&twice)[kPairRows][kTokens], const Run& run, float* to,
                          int token_stride) {
  bool fine = true;
  RSR_UNROLL
  for (int t = 0; t < kTokens; ++t) {
    RSR_UNROLL
    for (int r = 0; r < kPairRows; ++r) {
      to[t * token_stride + r] = 0.5f * twice[r][t];
      fine = fine && is_finite(twice[r][t]);
    }
  }
  if (fine) return;
  for (int i = 0; i < kPairRows * kTokens; ++i) {
    const int r = i % kPairRows;
    const int t = i / kPairRows;
    float& sum = to[t * token_stride + r];
    if (is_finite(sum)) continue;
    sum = careful_run<Values>(run.lines + 4 * r, run.count, run.x + t * run.token_stride);
  }
}

/// sums += the runs of a pass, in their order.
template <int kTokens>
RSR_DEVICE void add_runs(const Job& job, const Memory& memory, int first) {
  const PackedMatrix& w = job.f.w;
  const int count = job.runs - first < job.slots ? job.runs - first : job.slots;
  for (int i = simt::thread(); i < job.block_tiles * kTokens * kTileRows; i += simt::threads()) {
    const int row = i % kTileRows;
    const int tile = simt::block_x() * job.block_tiles + i / (kTokens * kTileRows);
    if (tile >= job.tiles) continue;
    const float* runs = memory.runs + i / kTileRows * job.slots * kTileRows + row;
    const float* scales =
        w.group_scales + static_cast<int64_t>(tile) * job.groups * kTileRows + row;
    double sum = memory.sums[i];
    for (int s = 0; s < count; ++s) {
      auto run = static_cast<double>(runs[s * kTileRows]);
      if (w.group_lines > 0) {
        run *= static_cast<double>(scales[(first + s) / job.group_runs * kTileRows]);
      }
      sum += run;
    }
    memory.sums[i] = sum;
  }
}

template <int kTokens>
RSR_DEVICE void write_results(const Job& job, const Memory& memory) {
  const PackedMatrix& w = job.f.w;
  for (int i = simt::thread(); i < job.block_tiles * kTokens * kTileRows; i += simt::threads()) {
    const int tile = simt::block_x() * job.block_tiles + i / (kTokens * kTileRows);
    const int row = tile * kTileRows + i % kTileRows;
    const int token = job.first_token + simt::block_y() * kTokens + i / kTileRows % kTokens;
    if (row >= w.rows || token >= job.f.batch) continue;
    const float scale = w.row_scales != nullptr ? w.row_scales[row] : w.scale;
    w.y[token * w.stride + row] = static_cast<float>(memory.sums[i]) * scale;
  }
}

template <class Values, int kTokens>
RSR_KERNEL(kMostThreads) floats_kernel(Job job) {
  const Memory memory = memory_of<kTokens>(job);
  simt::wait_for_previous();
  const int unit = simt::thread() / kPairs;
  const Place at = {simt::thread() % kPairs, unit % job.slots, unit / job.slots};
  const int tile = simt::block_x() * job.block_tiles + at.tile;
  const uint8_t* pair_lines =
      job.f.w.lines + static_cast<int64_t>(tile) * job.f.w.tile_lines * kLineBytes + 8 * at.pair;
  const int token_stride = job.slots * kTileRows;
  float* runs = memory.runs + at.tile * kTokens * token_stride + at.slot * kTileRows + 2 * at.pair;
  // Each of these belongs to one thread until the end.
  for (int i = simt::thread(); i < job.block_tiles * kTokens * kTileRows; i += simt::threads()) {
    memory.sums[i] = 0;
  }
  for (int first = 0; first < job.runs; first += job.slots) {
    const Lines place = lines_of<Values>(job, first + at.slot);
    const Run run = {pair_lines + static_cast<int64_t>(place.first) * kLineBytes,
                     tile < job.tiles ? place.count : 0, memory.x + at.slot * kRunStride,
                     job.slots * kRunStride};
    simt::Words2 next[kAhead<Values, kTokens>];
    load_lines(run.lines, 0, run.count, next);
    stage<Values, kTokens>(job, first, memory.x);
    simt::sync();
    if (run.count > 0) {
      float twice[kPairRows][kTokens] = {};
      sum_run<Values>(run, job.most_lines, next, twice);
      keep_sums<Values>(twice, run, runs, token_stride);
    }
    simt::sync();
    add_runs<kTokens>(job, memory, first);  // while the others stage x again
  }
  write_results<kTokens>(job, memory);
}

template <class Values, int kTokens>
Status launch_tokens(int device, void* stream, Job job, int token_tiles) {
  constexpr int kMostSlots = kTokens <= 2 ? kMostThreads / kPairs : 64 / kTokens;
  const int passes = simt::ceil_div(job.runs, kMostSlots);
  job.slots = simt::ceil_div(simt::ceil_div(job.runs, passes), kWarpRuns) * kWarpRuns;
  // More tiles share x while there are blocks enough for all multiprocessors.
  const int tile_threads = job.slots * kPairs;
  for (job.block_tiles = 1; job.block_tiles * 2 * tile_threads <= kMostThreads &&
                            job.tiles >= job.block_tiles * 2 * kBusyBlocks;) {
    job.block_tiles *= 2;
  }
  const simt::Launch how = {simt::ceil_div(job.tiles, job.block_tiles), token_tiles,
                            job.block_tiles * tile_threads, memory_bytes<kTokens>(job)};
  return launch(device, stream, how, floats_kernel<Values, kTokens>, job);
}

template <class Values>
Job job_of(const Floats& p) {
  Job job = {};
  job.f = p;
  job.tiles = simt::ceil_div(p.w.rows, kTileRows);
  const bool grouped = p.w.group_lines > 0 && p.w.group_lines < p.w.tile_lines;
  job.group_lines = grouped ? p.w.group_lines : p.w.tile_lines;
  job.groups = simt::ceil_div(p.w.tile_lines, job.group_lines);
  job.group_runs = simt::ceil_div(job.group_lines, kRunLines<Values>);
  const int last_lines = p.w.tile_lines - (job.groups - 1) * job.group_lines;
  job.runs = (job.groups - 1) * job.group_runs + simt::ceil_div(last_lines, kRunLines<Values>);
  const uintptr_t quad_bytes = p.x_type == FloatType::f32 ? 16 : 8;
  job.quads = reinterpret_cast<uintptr_t>(p.x) % quad_bytes == 0 && p.x_stride % 4 == 0;
  job.most_lines = job.group_lines < kRunLines<Values> ? job.group_lines : kRunLines<Values>;
  return job;
}

/// Whole tiles of kMostTokens, then the tokens that are left, in a kernel for as few.
template <class Values>
Status launch_batch(int device, void* stream, const Floats& p) {
  Job job = job_of<Values>(p);
  const int full = p.batch / kMostTokens;
  if (full > 0) {
    RSR_RETURN_IF_ERROR((launch_tokens<Values, kMostTokens>(device, stream, job, full)));
  }
  job.first_token = full * kMostTokens;
  const int left = p.batch - job.first_token;
  if (left == 0) return {};
  if (left == 1) return launch_tokens<Values, 1>(device, stream, job, 1);
  if (left == 2) return launch_tokens<Values, 2>(device, stream, job, 1);
  if (left <= 4) return launch_tokens<Values, 4>(device, stream, job, 1);
  return launch_tokens<Values, kMostTokens>(device, stream, job, 1);
}

}  // namespace

Status floats(int device, void* stream, const Floats& p) {
  if (p.w.rows == 0 || p.batch == 0) return {};
  if (p.format == matrix::Format::t2) return launch_batch<Ternary>(device, stream, p);
  if (p.format != matrix::Format::b1) {
    return base::error(ErrorCode::unsupported, "floats on a GPU take formats t2 and b1, not ",
                       matrix::format_name(p.format));
  }
  if (p.alphabet == matrix::Alphabet::signs) return launch_batch<Signs>(device, stream, p);
  return launch_batch<Binary>(device, stream, p);
}

}  // namespace rsr::cuda::RSR_SIMT
