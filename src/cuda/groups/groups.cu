// A block of threads keeps a tile of x in shared memory, a word for each column, while it takes
// `span` blocks of rows: every warp a part of a cell's slices at a time (slices.cuh), whose results
// meet in shared memory. Up to four vectors are done at once; more of them read the index again.
//
// What bounds it on an H200: memory brings 2.1 T places a second. For each of them the multiprocessors
// have 13.8 instructions (so slices of 8 steps, ternary 10, are read at the speed of memory, shorter
// ones more slowly) and 3.4 turns of a bank (a step takes 1.1 to 1.9 for its 32 places).
#include "cuda/groups/slices.cuh"
#include "cuda/launch.h"

namespace rsr::cuda::RSR_SIMT {
namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / simt::kWarp;

/// The block's shared memory. x comes first: places of columns are addresses then.
template <int kTokens>
struct Memory {
  uint32_t* x;                  // [tile_words]
  Exchange<kTokens>* exchange;  // [kWarps]
  int32_t* x_sums;              // [kTokens]
  int32_t* sums;                // [kTokens][span * k]
};

template <int kTokens>
RSR_DEVICE Memory<kTokens> memory_of(const Groups& p) {
  uint32_t* x = &simt::shared<uint32_t>();
  auto* exchange = reinterpret_cast<Exchange<kTokens>*>(x + p.tile_words());
  auto* x_sums = reinterpret_cast<int32_t*>(exchange + kWarps);
  return {x, exchange, x_sums, x_sums + kTokens};
}

template <int kTokens>
size_t memory_bytes(const Groups& p) {
  const int words = p.tile_words() + kTokens + kTokens * p.span * p.k;
  return sizeof(uint32_t) * static_cast<size_t>(words) + kWarps * sizeof(Exchange<kTokens>);
}

/// Words of four columns of one vector, or of four.
RSR_DEVICE simt::Words4 words_of_columns(const uint32_t (&x)[1]) {
  simt::Words4 words;
  RSR_UNROLL
  for (int i = 0; i < 4; ++i) {
    words.w[i] = static_cast<uint32_t>(int32_t{static_cast<int8_t>(x[0] >> 8 * i & 0xFFU)});
  }
  return words;
}
RSR_DEVICE simt::Words4 words_of_columns(const uint32_t (&x)[4]) {
  constexpr uint32_t kAdded = 0x80808080U;
  const uint32_t low[2] = {simt::byte_permute(x[0], x[1], 0x5140) ^ kAdded,
                           simt::byte_permute(x[2], x[3], 0x5140) ^ kAdded};
  const uint32_t high[2] = {simt::byte_permute(x[0], x[1], 0x7362) ^ kAdded,
                            simt::byte_permute(x[2], x[3], 0x7362) ^ kAdded};
  return {{simt::byte_permute(low[0], low[1], 0x5410), simt::byte_permute(low[0], low[1], 0x7632),
           simt::byte_permute(high[0], high[1], 0x5410),
           simt::byte_permute(high[0], high[1], 0x7632)}};
}

/// x of a tile into shared memory, and its sums for the columns that this thread has seen.
template <int kTokens>
RSR_DEVICE void stage(const Groups& p, int tile, uint32_t* x, int32_t (&x_sums)[kTokens]) {
  const int first = tile * p.tile_cols;
  const int width = p.cols - first < p.tile_cols ? p.cols - first : p.tile_cols;
  const int first_token = simt::block_y() * kTokens;
  for (int col = 4 * simt::thread(); col < width; col += 4 * kThreads) {
    uint32_t four[kTokens];
    RSR_UNROLL
    for (int t = 0; t < kTokens; ++t) {
      const int8_t* from = p.x + (first_token + t) * p.x_stride + first + col;
      four[t] = first_token + t < p.batch ? *reinterpret_cast<const uint32_t*>(from) : 0;
      x_sums[t] = simt::dp4a(kOnes, four[t], x_sums[t]);
    }
    *reinterpret_cast<simt::Words4*>(x + col) = words_of_columns(four);
  }
  if (simt::thread() < kGroupLanes) {
    const uint32_t zeros[kTokens] = {};
    x[p.zeros_at() + simt::thread()] = words_of_columns(zeros).w[0];
  }
}

/// One tile of the block's rows, from x in shared memory.
template <class Kind>
RSR_DEVICE void add_tile(const Groups& p, int tile, const Memory<Kind::kTokens>& memory,
                         Strand<Kind>& strand) {
  const int first_block = simt::block_x() * p.span;
  const int left = p.row_blocks() - first_block;
  const int blocks = left < p.span ? left : p.span;
  for (int i = simt::warp(); i < blocks * p.parts; i += kWarps) {
    const int block = i / p.parts;
    const int64_t cell = static_cast<int64_t>(first_block + block) * p.tiles() + tile;
    const uint32_t first = p.cell_slices[cell];
    const uint32_t count = p.cell_slices[cell + 1] - first;
    const auto part = static_cast<uint32_t>(i % p.parts);
    const auto parts = static_cast<uint32_t>(p.parts);
    const uint32_t from = first + count * part / parts;
    const uint32_t to = first + count * (part + 1) / parts;
    if (from == to) continue;
    strand.run(from, to);
    strand.add_to(memory.sums + block * p.k, p.span * p.k);
  }
}

/// The sums of x over the block, for signs.
template <int kTokens>
RSR_DEVICE void share_x_sums(const int32_t (&own)[kTokens], int32_t* x_sums) {
  RSR_UNROLL
  for (int t = 0; t < kTokens; ++t) {
    const int32_t sum = simt::warp_sum(own[t]);
    if (simt::lane() == 0) simt::atomic_add(x_sums + t, sum);
  }
}

template <int kTokens>
RSR_DEVICE void write_results(const Groups& p, const Memory<kTokens>& memory) {
  const int rows = p.span * p.k;
  for (int i = simt::thread(); i < kTokens * rows; i += kThreads) {
    const int row = simt::block_x() * rows + i % rows;
    const int token = simt::block_y() * kTokens + i / rows;
    if (row >= p.rows || token >= p.batch) continue;
    auto sum = static_cast<uint32_t>(memory.sums[i]);
    if (p.signs) sum = 2 * sum - static_cast<uint32_t>(memory.x_sums[i / rows]);
    p.sums[token * p.stride + row] = static_cast<int32_t>(sum);
  }
}

template <class Kind>
RSR_KERNEL(kThreads) groups_kernel(Groups p) {
  constexpr int kTokens = Kind::kTokens;
  const Memory<kTokens> memory = memory_of<kTokens>(p);
  for (int i = simt::thread(); i < kTokens + kTokens * p.span * p.k; i += kThreads) {
    memory.x_sums[i] = 0;  // and the sums behind them
  }
  simt::wait_for_previous();
  int32_t x_sums[kTokens] = {};
  Strand<Kind> strand(p, memory.x, memory.exchange[simt::warp()]);
  for (int tile = 0; tile < p.tiles(); ++tile) {
    simt::sync();
    stage(p, tile, memory.x, x_sums);
    simt::sync();
    add_tile(p, tile, memory, strand);
  }
  if (p.signs) share_x_sums(x_sums, memory.x_sums);
  simt::sync();
  write_results(p, memory);
}

template <int kTokens, int kHalves>
Status launch_kind(int device, void* stream, const Groups& p) {
  const simt::Launch how = {simt::ceil_div(p.row_blocks(), p.span),
                            simt::ceil_div(p.batch, kTokens), kThreads, memory_bytes<kTokens>(p)};
  return p.ternary
             ? launch(device, stream, how, groups_kernel<KindOf<kTokens, true, kHalves>>, p)
             : launch(device, stream, how, groups_kernel<KindOf<kTokens, false, kHalves>>, p);
}

template <int kTokens>
Status launch_tokens(int device, void* stream, const Groups& p) {
  return p.k <= 8 ? launch_kind<kTokens, 1>(device, stream, p)
                  : launch_kind<kTokens, 2>(device, stream, p);
}

}  // namespace

Status groups(int device, void* stream, const Groups& p) {
  if (p.rows == 0 || p.batch == 0) return {};
  return p.batch == 1 ? launch_tokens<1>(device, stream, p) : launch_tokens<4>(device, stream, p);
}

}  // namespace rsr::cuda::RSR_SIMT
