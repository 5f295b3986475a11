// A block of attend: up to `queries` queries of one key head, over chunks of positions. Its parts
// are attend_scores.cuh and attend_values.cuh.
#pragma once

#include <type_traits>

#include "cuda/attention/append.cuh"
#include "cuda/attention/slices.cuh"

namespace rsr::cuda::RSR_SIMT {
namespace {

/// What a launch is about: pairs of a token and a query of the group of a key head, `tiles` of them
/// for each head. A block goes over all chunks of its tile (`whole`), or over that of its block_y.
/// Wide values take several blocks, which have the same scores and some columns each.
struct AttendWork {
  Attend p;
  int32_t tiles = 0;
  int32_t column_blocks = 1;
  bool whole = false;
};

template <class T, int queries>
struct AttendShape {
  static constexpr int kPart = queries > 4 ? 8 : queries;  // queries of a thread
  static constexpr int kParts = queries / kPart;
  static constexpr int kPitch = queries > 4 ? queries + 4 : queries;  // of rows: fewer conflicts
  static constexpr int kScorePairs = kPositions / 2;                  // two positions a thread
  static constexpr int kScoreThreads = kScorePairs * kParts;
  static constexpr int kScoreWarps = kScorePairs / simt::kWarp;  // of one part
  static constexpr int kColumns = queries > 4 ? 2 : 1;           // of values, of a thread
  // The last warps of a block add up weights while the others go on to the values.
  static constexpr int kTotalThreads = queries > 4 ? 128 : queries > 1 ? queries* kLanes : 32;
  static constexpr int kMostColumns = 256;  // of values, of a block
  static constexpr int kMostThreads =
      kMostColumns / kColumns * kParts + (queries > 4 ? 0 : kTotalThreads);
  static constexpr bool kScaled = std::is_same_v<T, int8_t>;
  // Of a multiprocessor: what 228 KB of shared memory hold, 96 KB each with scaled weights.
  static constexpr int kBlocks = queries > 4 && !kScaled ? 3 : 2;

  /// Behind it come the queries: [dim][kPitch].
  struct alignas(16) Shared {
    typename SliceShape<T, queries>::Stage stages[SliceShape<T, queries>::kStages];
    alignas(16) float weights[kPositions][kPitch];                 // times the scales of values
    alignas(16) float unscaled[kScaled ? kPositions : 1][kPitch];  // i8 only
    alignas(16) uint32_t tops[queries][kScoreWarps];               // of the chunk, ordered()
    float top[queries];                                            // of the chunks so far
    float total[queries];
    float keep[queries];
    float take[queries];
    int32_t seen[queries];  // positions in all; 0: no such query
    AppendShared append;
    bool is_last;  // of the blocks that share these queries
  };

  /// What this thread adds up over the positions: columns and queries of its part.
  using Sums = float[kColumns][kPart];
  /// Two positions.
  using Scores = float[2][kPart];
};

RSR_DEVICE int head_of(const AttendWork& w) {
  return simt::block_x() / w.column_blocks / w.tiles;
}

RSR_DEVICE Angles angles_of(const Attend& p, int position) {
  const int half = p.kv.dim / 2;
  const int64_t at = static_cast<int64_t>(position) * half;
  return {p.cosine + at, p.sine + at, half};
}

/// The token's key and value, by each block that will read them: they all write the same bytes.
RSR_DEVICE void append_token(AppendShared& s, const Attend& p, int head, int position) {
  uint8_t* of_head = p.kv.data + head * p.kv.head_bytes;
  const int64_t row = static_cast<int64_t>(head) * p.kv.dim;
  append_key(s, p.kv, of_head, p.keys + row, angles_of(p, position), position);
  simt::sync();  // `s` is free again
  append_value(s, p.kv, of_head, p.values + row, position);
  simt::sync();
}

/// What the functions of a block share.
template <class T, int queries>
struct AttendBlock {
  using Shape = AttendShape<T, queries>;

  RSR_DEVICE AttendBlock(const AttendWork& w, typename Shape::Shared& shared, int start_position,
                         const Span& of_block)
      : p(w.p),
        start(start_position),
        whole(w.whole),
        s(shared),
        span(of_block),
        head(head_of(w)),
        first(simt::block_x() / w.column_blocks % w.tiles * queries),
        first_column(simt::block_x() % w.column_blocks * Shape::kMostColumns),
        group(w.p.query_heads / w.p.kv.heads),
        query(reinterpret_cast<float*>(&shared + 1)),
        slices(w.p.kv, head, of_block, shared.stages) {}

  // Of scores.
  RSR_DEVICE bool scores_here() const { return simt::thread() < Shape::kScoreThreads; }
  RSR_DEVICE int position() const { return simt::thread() % Shape::kScorePairs * 2; }
  RSR_DEVICE int score_query() const { return simt::thread() / Shape::kScorePairs * Shape::kPart; }

  // Of values.
  RSR_DEVICE int columns() const {  // of a part, by threads
    return smaller(p.kv.value_stride - first_column, Shape::kMostColumns) / Shape::kColumns;
  }
  RSR_DEVICE bool has_columns() const { return simt::thread() < columns() * Shape::kParts; }
  RSR_DEVICE int column() const {
    return first_column + simt::thread() % columns() * Shape::kColumns;
  }
  RSR_DEVICE int column_query() const {
    return has_columns() ? simt::thread() / columns() * Shape::kPart : 0;
  }

  /// Of a pair of a token and a query of the group, among the rows [batch][query_heads].
  RSR_DEVICE int64_t row_of(int pair) const {
    return static_cast<int64_t>(pair / group) * p.query_heads + head * group + pair % group;
  }
  RSR_DEVICE bool sees(int of_queries, int chunk) const {
    return s.seen[of_queries] > chunk * kPositions;
  }

  const Attend& p;
  int start;  // *p.start
  bool whole;
  typename Shape::Shared& s;
  Span span;
  int head;
  int first;  // pair
  int first_column;
  int group;
  float* query;
  Slices<T, queries> slices;
};

/// Queries, turned, divided by sqrt(dim), side by side, and empty states.
template <class T, int queries>
RSR_DEVICE void load_queries(AttendBlock<T, queries>& b) {
  constexpr int kPitch = AttendShape<T, queries>::kPitch;
  const int dim = b.p.kv.dim;
  const int pairs = b.p.batch * b.group;
  const Angles angles = b.p.keys != nullptr ? angles_of(b.p, b.start) : Angles{};
  const float scale = simt::divide(1.0f, simt::square_root(static_cast<float>(dim)));
  for (int q = simt::warp(); q < queries; q += simt::threads() / simt::kWarp) {
    const bool exists = b.first + q < pairs;
    const float* from = b.p.queries + (exists ? b.row_of(b.first + q) * dim : 0);
    for (int d = simt::lane(); d < dim; d += simt::kWarp) {
      const float of_dim = b.p.keys != nullptr ? turned(from, angles, d) : from[d];
      b.query[d * kPitch + q] = exists ? of_dim * scale : 0.0f;
    }
  }
  const int q = simt::thread();
  if (q >= queries) return;
  b.s.seen[q] = b.first + q < pairs ? b.start + (b.first + q) / b.group + 1 : 0;
  b.s.top[q] = minus_infinity();
  b.s.total[q] = 0.0f;
}

}  // namespace
}  // namespace rsr::cuda::RSR_SIMT
