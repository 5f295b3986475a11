// Products of tiles (AMX): 16 vectors by 16 rows by 64 columns in one instruction of 16 cycles.
#include <immintrin.h>

#include "kernels/amx_tiles.h"
#include "kernels/gemm/amx_ring.h"
#include "kernels/gemm/avx512_results.h"
#include "kernels/gemm/avx512vbmi_formats.h"
#include "kernels/gemm/gemm.h"

namespace rsr::kernels {
namespace {

// Inputs of the vectors that are multiplied with all rows before others are: half of a second
// cache, so that they stay there. Fewer would read the matrix more often.
constexpr int64_t kBlockBytes = int64_t{1} << 20;

/// Sums of a pair of tiles of vectors for a pair of tiles of rows, as tiles store them.
struct Sums {
  static constexpr int kRows = 2 * kMatvecTileRows;
  alignas(64) int32_t at[2 * kTileVectors][kRows];
  alignas(64) float scaled[2 * kTileVectors][kRows];
};

/// The columns of one group, and what comes after them.
struct Course {
  Lines now;
  Lines next;
  int64_t ahead = 0;  // bytes to lines that shall come to the second cache meanwhile; 0: to none
};

/// All columns of one group. The begin of its first chunk is in the ring, and in the end that of
/// the next group.
template <class Format, int vectors>
void multiply_group(Ring<Format>& ring, Inputs x, const Course& course, Sums& sums) {
  constexpr int kLines = Format::kChunkLines;
  const Lines& now = course.now;
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (int64_t line = 0; line < now.count; line += kLines) {
    const int64_t left = now.count - line;
    const Lines chunk = now.from(line);
    const Lines coming = left <= kLines ? course.next : now.from(line + kLines);
    if (course.ahead > 0) chunk.prefetch(kLines, course.ahead);
    if (left >= kLines && coming.count >= Format::kLeadLines) {
      multiply_and_decode<Format, vectors>(ring, x, chunk, coming);
    } else {
      const int64_t products = (left * Format::kLineSteps + kTileSteps - 1) / kTileSteps;
      ring.decode(chunk, Format::kLeadLines, kLines);
      multiply_alone<Format, vectors>(ring, x, products);
      ring.decode(coming, 0, Format::kLeadLines);
    }
    x.of_tile[0] += Ring<Format>::kProducts * kTileRowBytes;
    x.of_tile[1] += Ring<Format>::kProducts * kTileRowBytes;
  }
  constexpr int kStride = Sums::kRows * 4;
  _tile_stored(0, sums.at[0], kStride);
  _tile_stored(1, sums.at[0] + kMatvecTileRows, kStride);
  if constexpr (vectors > 1) {
    _tile_stored(2, sums.at[kTileVectors], kStride);
    _tile_stored(3, sums.at[kTileVectors] + kMatvecTileRows, kStride);
  }
}

/// A pair of tiles of rows and one of vectors.
struct Task {
  int64_t tile;
  int64_t tile_end;   // of the call: the second tile may not be part of it
  int64_t vector[2];  // first ones
  int64_t height;
  bool last;  // before the rows change
};

inline Lines lines_of(const MatvecI8& p, const Task& task, int64_t group) {
  const int64_t group_lines = p.w.group_lines > 0 ? p.w.group_lines : p.w.tile_lines;
  const int64_t first = group * group_lines;
  const int64_t left = p.w.tile_lines - first;
  Lines lines;
  lines.of_tile[0] = p.w.lines + task.tile * p.w.tile_stride + first * kMatvecLineBytes;
  lines.of_tile[1] = lines.of_tile[0] + (task.tile + 1 < task.tile_end ? p.w.tile_stride : 0);
  lines.count = left < group_lines ? left : group_lines;
  return lines;
}

/// The results of the sums of a group.
inline void finish(const MatvecI8& p, const Task& task, int vectors, int64_t group, Sums& sums) {
  const bool both = task.tile + 1 < task.tile_end;
  const Finish upper(p, task.tile, group);
  const Finish lower(p, task.tile + (both ? 1 : 0), group);
  for (int i = 0; i < vectors; ++i) {
    for (int64_t t = 0; t < task.height; ++t) {
      const int64_t at = i * kTileVectors + t;
      const int64_t token = task.vector[i] + t;
      upper(token, _mm512_load_si512(sums.at[at]), sums.scaled[at]);
      if (!both) continue;
      lower(token, _mm512_load_si512(sums.at[at] + kMatvecTileRows),
            sums.scaled[at] + kMatvecTileRows);
    }
  }
}

template <class Format, int vectors>
void multiply_task(Ring<Format>& ring, const MatvecI8& p, const Task& task, const Task& next) {
  Sums sums;
  const int64_t group_columns = p.w.group_lines * Format::kLineSteps * 4;
  const int64_t groups = p.w.groups();
  for (int64_t group = 0; group < groups; ++group) {
    const int8_t* x = p.x + group * group_columns;
    const Inputs inputs{{x + task.vector[0] * p.x_cols, x + task.vector[1] * p.x_cols}, p.x_cols};
    const bool more = group + 1 < groups;
    const Course course{lines_of(p, task, group),
                        more ? lines_of(p, task, group + 1) : lines_of(p, next, 0),
                        task.last ? 2 * p.w.tile_stride : 0};
    multiply_group<Format, vectors>(ring, inputs, course, sums);
    finish(p, task, vectors, group, sums);
  }
}

/// The tasks in their order: blocks of vectors; in each, pairs of tiles of rows; for each of those,
/// pairs of tiles of vectors.
template <int vectors>
class Tasks {
 public:
  Tasks(const MatvecI8& p, int64_t tile_begin, int64_t tile_end)
      : batch_(p.batch),
        pairs_((batch_ + vectors * kTileVectors - 1) / (vectors * kTileVectors)),
        height_((batch_ + vectors * pairs_ - 1) / (vectors * pairs_)),
        tile_begin_(tile_begin),
        tile_end_(tile_end),
        tile_(tile_begin) {
    const int64_t fit = kBlockBytes / (vectors * kTileVectors * p.x_cols);
    block_pairs_ = fit > 1 ? fit : 1;
  }

  int64_t height() const { return height_; }
  bool done() const { return block_ >= pairs_; }
  Task task() const {
    Task task{tile_, tile_end_, {}, height_, pair_ + 1 == block_end()};
    for (int i = 0; i < 2; ++i) {
      const int64_t even = (pair_ * vectors + i) * height_;
      task.vector[i] = even + height_ <= batch_ ? even : batch_ - height_;
    }
    return task;
  }
  void advance() {
    if (++pair_ < block_end()) return;
    pair_ = block_;
    tile_ += 2;
    if (tile_ < tile_end_) return;
    tile_ = tile_begin_;
    block_ = pair_ = block_end();
  }

 private:
  int64_t block_end() const {
    return block_ + block_pairs_ < pairs_ ? block_ + block_pairs_ : pairs_;
  }

  int64_t batch_;
  int64_t pairs_;   // of tiles of vectors
  int64_t height_;  // of all tiles: one shape. A last one overlaps with the one before it
  int64_t tile_begin_;
  int64_t tile_end_;
  int64_t block_pairs_;
  int64_t block_ = 0;  // first pair
  int64_t tile_;
  int64_t pair_ = 0;
};

template <class Format, int vectors>
void multiply_vectors(const MatvecI8& p, int64_t tile_begin, int64_t tile_end) {
  Tasks<vectors> tasks(p, tile_begin, tile_end);
  Ring<Format> ring;
  shape_tiles(tasks.height());
  ring.decode(lines_of(p, tasks.task(), 0), 0, Format::kLeadLines);
  while (!tasks.done()) {
    const Task task = tasks.task();
    tasks.advance();
    // After the last one its own lines are as good as any.
    multiply_task<Format, vectors>(ring, p, task, tasks.done() ? task : tasks.task());
  }
  _tile_release();
}

template <class Format>
void multiply_range(const MatvecI8& p, int64_t tile_begin, int64_t tile_end) {
  if (tile_begin >= tile_end || p.batch == 0) return;
  if (p.batch > kTileVectors) return multiply_vectors<Format, 2>(p, tile_begin, tile_end);
  multiply_vectors<Format, 1>(p, tile_begin, tile_end);
}

}  // namespace

void gemm_t5_i8_amx(const MatvecI8& p, int64_t tile_begin, int64_t tile_end) noexcept {
  multiply_range<T5>(p, tile_begin, tile_end);
}

void gemm_t2_i8_amx(const MatvecI8& p, int64_t tile_begin, int64_t tile_end) noexcept {
  multiply_range<Fields<2>>(p, tile_begin, tile_end);
}

void gemm_b1_i8_amx(const MatvecI8& p, int64_t tile_begin, int64_t tile_end) noexcept {
  multiply_range<Fields<1>>(p, tile_begin, tile_end);
}

}  // namespace rsr::kernels
