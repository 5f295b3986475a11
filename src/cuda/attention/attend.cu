// A token alone: a block per chunk and head (or query); the one that ends last merges all states.
// With many tokens a block goes over all chunks itself. The blocks of the last chunk first write
// the token's key and value where they come with it: a launch less. Keys and values pass through
// shared memory once for all queries of a block.
#include "base/check.h"
#include "cuda/attention/attend_merge.cuh"
#include "cuda/launch.h"

namespace rsr::cuda::RSR_SIMT {
namespace {

using kernels::KvType;

template <class T, int queries>
RSR_KERNEL_BLOCKS((AttendShape<T, queries>::kMostThreads), (AttendShape<T, queries>::kBlocks))
attend_chunks(AttendWork w) {
  using Shape = AttendShape<T, queries>;
  auto& s = simt::shared<typename Shape::Shared>();
  simt::wait_for_previous();
  const int start = *w.p.start;  // on its way while the divisions go on
  const int group = w.p.query_heads / w.p.kv.heads;
  const int end_pair =
      smaller(simt::block_x() / w.column_blocks % w.tiles * queries + queries, w.p.batch * group);
  Span span = {0, 0, start + (end_pair - 1) / group + 1};
  span.end = (span.seen + kPositions - 1) / kPositions;
  if (!w.whole) {
    span.chunk = simt::block_y();
    span.end = smaller(span.end, span.chunk + 1);
  }
  if (span.chunk >= span.end) return;
  const bool has_last = span.end * kPositions >= span.seen;
  if (w.p.keys != nullptr && has_last) append_token(s.append, w.p, head_of(w), start);
  AttendBlock<T, queries> block(w, s, start, span);
  load_queries(block);
  typename Shape::Sums sums = {};
  for (int chunk = span.chunk; chunk < span.end; ++chunk) {
    const int positions = span.positions(chunk);
    float key_scales[2] = {1.0f, 1.0f};
    float value_scales[2] = {1.0f, 1.0f};
    load_scales(block, w.p.kv.key_scales_at, chunk, positions, key_scales);
    load_scales(block, w.p.kv.value_scales_at, chunk, positions, value_scales);
    typename Shape::Scores scores = {};
    score(block, positions, scores);
    find_tops(block, chunk, key_scales, scores);
    simt::sync();
    weigh(block, value_scales, scores);
    typename Shape::Sums of_chunk = {};
    add_values(block, chunk, positions, of_chunk);
    simt::sync();
    merge_chunk(block, chunk, of_chunk, sums);
  }
  write_sums(block, sums);
  if (!w.whole && is_last_block(block)) merge_chunks(block);
}

template <class T, int queries>
Status launch_attend(int device, void* stream, const Attend& p) {
  using Shape = AttendShape<T, queries>;
  constexpr int kManyBlocks = 256;  // two for each multiprocessor of a large GPU
  AttendWork w;
  w.p = p;
  w.tiles = simt::ceil_div(p.batch * (p.query_heads / p.kv.heads), queries);
  w.whole = p.chunks == 1 || p.chunks > kMostMerged<T, queries> || p.batch > p.state_tokens ||
            w.tiles * p.kv.heads >= kManyBlocks;
  w.column_blocks = simt::ceil_div(p.kv.value_stride, Shape::kMostColumns);
  const int columns = w.column_blocks > 1 ? Shape::kMostColumns : p.kv.value_stride;
  const int of_values = columns / Shape::kColumns * Shape::kParts;
  int threads = simt::ceil_div(of_values, simt::kWarp) * simt::kWarp;
  if (threads < Shape::kScoreThreads) threads = Shape::kScoreThreads;
  if (queries <= 4) threads += Shape::kTotalThreads;
  const size_t bytes = sizeof(typename Shape::Shared) +
                       static_cast<size_t>(p.kv.dim) * Shape::kPitch * sizeof(float);
  const simt::Launch how = {p.kv.heads * w.tiles * w.column_blocks, w.whole ? 1 : p.chunks, threads,
                            bytes};
  return launch(device, stream, how, attend_chunks<T, queries>, w);
}

/// Few queries, or so few chunks that blocks of one query do not fill a GPU: then a query alone is
/// the quickest. A group of four shares keys and values; many tokens share them by 16 queries.
template <class T>
Status attend_type(int device, void* stream, const Attend& p) {
  constexpr int kFewBlocks = 160;
  const int pairs = p.batch * (p.query_heads / p.kv.heads);
  constexpr int kMostDimOfMany = 256;  // for their shared memory
  if (pairs > 8 && p.kv.dim <= kMostDimOfMany) return launch_attend<T, 16>(device, stream, p);
  if (pairs == 1 || p.batch * p.query_heads * p.chunks <= kFewBlocks) {
    return launch_attend<T, 1>(device, stream, p);
  }
  return launch_attend<T, 4>(device, stream, p);
}

}  // namespace

Status attend(int device, void* stream, const Attend& p) {
  RSR_CHECK(p.keys == nullptr || p.batch == 1);
  switch (p.kv.type) {
    case KvType::f32:
      return attend_type<float>(device, stream, p);
    case KvType::f16:
      return attend_type<uint16_t>(device, stream, p);
    case KvType::i8:
      break;
  }
  return attend_type<int8_t>(device, stream, p);
}

}  // namespace rsr::cuda::RSR_SIMT
