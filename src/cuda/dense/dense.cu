// Half a warp per group of rows, a lane per column modulo 16: that is the order of the additions.
//
// Weights come through a ring in shared memory, a ring for each half warp, so that no block waits:
// 16 bytes a lane and copy, 256 of a row; 4 KB are on their way per half warp, 192 KB on a
// multiprocessor of an H200 at batch 1, whatever the order of the additions lets it do meanwhile. x
// comes from the first cache. Instructions per weight at batch 1: 5.9, a load, a widening, a
// product and a sum among them (an H200's memory allows 13 for 16 bits); per weight and token at
// batch 8 2.7.
#include "cuda/launch.h"

namespace rsr::cuda::RSR_SIMT {
namespace {

constexpr int kThreads = 128;
constexpr int kLanes = 16;
constexpr int kSteps = 8;                   // of a piece
constexpr int kPiece = kSteps * kLanes;     // columns
constexpr int kHalves = kThreads / kLanes;  // half warps of a block
constexpr int kCopyElements = 16 / static_cast<int>(sizeof(uint16_t));
static_assert(kPiece == kLanes * kCopyElements, "a copy of each lane fills a row's piece");

/// Pieces of `rows` rows, as many as fit in 4 KB.
template <int rows>
struct Ring {
  static constexpr int kStages = 16 / rows;
  alignas(16) uint16_t pieces[kStages][rows][kPiece];
};
template <int rows>
struct Shared {
  Ring<rows> rings[kHalves];
};

/// One group of rows on its way through the ring of this half warp. Rows that do not begin on
/// 16-byte boundaries (`aligned` is false) come element by element.
template <int rows, bool aligned>
class RowStream {
 public:
  RSR_DEVICE RowStream(const Dense& p, Ring<rows>& ring, const int64_t (&row_of)[rows])
      : p_(p), ring_(ring), lane_(simt::lane() % kLanes) {
    RSR_UNROLL
    for (int r = 0; r < rows; ++r) from_[r] = p.w + row_of[r] * p.cols;
    RSR_UNROLL
    for (int i = 0; i < Ring<rows>::kStages; ++i) ask(i);
  }

  /// The piece, of `rows` rows; all lanes of the warp call it.
  RSR_DEVICE const auto& wait_for(int piece) const {
    simt::copies_wait<Ring<rows>::kStages - 1>();
    simt::warp_sync();
    return ring_.pieces[piece % Ring<rows>::kStages];
  }
  /// The warp has read this piece: its place is free for a later one.
  RSR_DEVICE void done_with(int piece) {
    simt::warp_sync();
    ask(piece + Ring<rows>::kStages);
  }

 private:
  RSR_DEVICE void ask(int piece) {
    const int c = piece * kPiece + lane_ * kCopyElements;
    RSR_UNROLL
    for (int r = 0; r < rows; ++r) {
      uint16_t* to = &ring_.pieces[piece % Ring<rows>::kStages][r][lane_ * kCopyElements];
      if constexpr (aligned) {
        if (c < p_.cols) simt::copy_async(to, from_[r] + c);
      } else {
        for (int i = 0; i < kCopyElements && c + i < p_.cols; ++i) to[i] = from_[r][c + i];
      }
    }
    simt::copies_commit();
  }

  const Dense& p_;
  Ring<rows>& ring_;
  int lane_;
  const uint16_t* from_[rows];
};

template <bool is_f16>
RSR_DEVICE float widen(uint16_t bits) {
  return is_f16 ? simt::from_f16(bits) : simt::from_bf16(bits);
}

/// sums += one column of each row times that of each token, column `at` of the piece, `c` of x.
template <bool is_f16, int rows, int tokens>
RSR_DEVICE void add_column(const uint16_t (&piece)[rows][kPiece], int at,
                           const float* const (&x)[tokens], int c, float (&sums)[rows][tokens]) {
  float of_tokens[tokens];
  RSR_UNROLL
  for (int t = 0; t < tokens; ++t) of_tokens[t] = x[t][c];
  RSR_UNROLL
  for (int r = 0; r < rows; ++r) {
    const float w = widen<is_f16>(piece[r][at]);
    RSR_UNROLL
    for (int t = 0; t < tokens; ++t) sums[r][t] = sums[r][t] + w * of_tokens[t];
  }
}

/// A group of rows times `tokens` vectors.
template <bool is_f16, bool aligned, int rows, int tokens>
RSR_DEVICE void multiply_group(const Dense& p, Ring<rows>& ring, const int64_t (&row_of)[rows],
                               const float* const (&x)[tokens], float (&sums)[rows][tokens]) {
  RowStream<rows, aligned> stream(p, ring, row_of);
  const int lane = simt::lane() % kLanes;
  for (int piece = 0; piece * kPiece < p.cols; ++piece) {
    const auto& w = stream.wait_for(piece);
    const int first = piece * kPiece;
    if (first + kPiece <= p.cols) {  // without branches between the loads
      RSR_UNROLL
      for (int step = 0; step < kPiece; step += kLanes) {
        add_column<is_f16>(w, step + lane, x, first + step + lane, sums);
      }
    } else {
      for (int at = lane; first + at < p.cols; at += kLanes) {
        add_column<is_f16>(w, at, x, first + at, sums);
      }
    }
    stream.done_with(piece);
  }
  RSR_UNROLL
  for (int half = kLanes / 2; half > 0; half /= 2) {
    RSR_UNROLL
    for (int i = 0; i < rows * tokens; ++i) {
      float& sum = sums[i / tokens][i % tokens];
      sum = sum + simt::shuffle_xor(sum, half);
    }
  }
}

/// Places [0, count) in groups of `rows`, for `tokens` vectors: the blocks that read the same
/// weights for all vectors come one after the other, and find them in the second cache. A group
/// beyond the count works on the last place again (its warp has barriers) and writes nothing.
template <bool is_f16, bool aligned, int rows, int tokens>
RSR_KERNEL_BLOCKS(kThreads, tokens > 4 ? 4 : 6)
dense_rows(Dense p) {
  auto& s = simt::shared<Shared<rows>>();
  simt::wait_for_previous();
  const int tiles = (p.batch + tokens - 1) / tokens;
  const int first_token = simt::block_x() % tiles * tokens;
  const bool list = p.row_ids != nullptr;  // of one token
  const int32_t* row_ids = list ? p.row_ids + int64_t{first_token} * p.rows : nullptr;
  const int count = list ? p.row_counts[first_token] : p.rows;
  const float* x[tokens];
  RSR_UNROLL
  for (int t = 0; t < tokens; ++t) {
    const int token = first_token + t < p.batch ? first_token + t : first_token;
    x[t] = p.x + static_cast<int64_t>(token) * p.cols;
  }
  // A short list goes over all blocks, which find its rows in far places; of a whole matrix a block
  // takes neighbours.
  const int blocks = simt::blocks_x() / tiles;
  const int block = simt::block_x() / tiles;
  const int half = simt::thread() / kLanes;
  const int mine = list ? half * blocks + block : block * kHalves + half;
  const int of_warp = list ? mine - half % 2 * blocks : mine - half % 2;  // its first half's
  const int64_t stride = static_cast<int64_t>(blocks) * kHalves * rows;
  for (int64_t done = 0; done + of_warp * rows < count; done += stride) {
    const int64_t place = done + mine * rows;
    int64_t row_of[rows];
    RSR_UNROLL
    for (int r = 0; r < rows; ++r) {
      const int64_t at = place + r < count ? place + r : count - 1;
      row_of[r] = list ? row_ids[at] : at;
    }
    float sums[rows][tokens] = {};
    multiply_group<is_f16, aligned>(p, s.rings[half], row_of, x, sums);
    if (simt::lane() % kLanes != 0) continue;
    RSR_UNROLL
    for (int i = 0; i < rows * tokens; ++i) {
      const int r = i / tokens;
      const int t = first_token + i % tokens;
      if (place + r < count && t < p.batch) p.y[t * p.stride + place + r] = sums[r][i % tokens];
    }
  }
}

template <bool aligned, int rows, int tokens>
Status launch_dense(int device, void* stream, const Dense& p) {
  constexpr int kMostBlocksOfList = 512;  // which a GPU holds at once; they go on by themselves
  const int needed = simt::ceil_div(p.rows, int64_t{rows} * kHalves);
  const int blocks =
      p.row_ids != nullptr && needed > kMostBlocksOfList ? kMostBlocksOfList : needed;
  const simt::Launch how = {blocks * simt::ceil_div(p.batch, tokens), 1, kThreads,
                            sizeof(Shared<rows>)};
  return launch(
      device, stream, how,
      p.is_f16 ? dense_rows<true, aligned, rows, tokens> : dense_rows<false, aligned, rows, tokens>,
      p);
}

}  // namespace

Status dense(int device, void* stream, const Dense& p) {
  constexpr int kManyRows = 16384;  // enough half warps in groups of four to fill a GPU
  if (p.cols % kCopyElements != 0 || reinterpret_cast<uintptr_t>(p.w) % 16 != 0) {
    return launch_dense<false, 1, 1>(device, stream, p);
  }
  if (p.row_ids != nullptr || (p.batch == 1 && p.rows < kManyRows)) {
    return launch_dense<true, 1, 1>(device, stream, p);
  }
  if (p.batch == 1) return launch_dense<true, 4, 1>(device, stream, p);
  if (p.batch == 2) return launch_dense<true, 4, 2>(device, stream, p);
  if (p.batch <= 4) return launch_dense<true, 4, 4>(device, stream, p);
  return launch_dense<true, 4, 8>(device, stream, p);
}

}  // namespace rsr::cuda::RSR_SIMT
