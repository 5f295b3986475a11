#include "kernels/matvec/matvec.h"
#include "segment/multiply.h"

namespace rsr::kernels {
namespace {

/// Value (-1, 0, +1) of column `col` of the line's 16, row `row` of the tile's 16.
int value(const uint8_t* line, int row, int col) {
  return ((line[4 * row + col % 4] >> (2 * (col / 4))) & 3) - 1;
}

template <class X, class Y>
void multiply_groups(const MatvecGroups<X, Y>& p, int64_t block_begin, int64_t block_end) {
  const segment::Part part{{block_begin, block_end}, {p.index_tile_begin, p.index_tile_end}, false};
  for (int64_t t = 0; t < p.batch; ++t) {
    segment::multiply(
        static_cast<segment::Form>(p.form),
        segment::Product<X, Y>{p.groups, p.x + t * p.x_stride, p.y + t * p.y_stride, p.scratch},
        part);
  }
}

}  // namespace

void matvec_t2_i8_reference(const MatvecT2I8& p, int64_t tile_begin, int64_t tile_end) noexcept {
  for (int64_t tile = tile_begin; tile < tile_end; ++tile) {
    const uint8_t* codes = p.codes + tile * p.tile_stride;
    for (int64_t t = 0; t < p.batch; ++t) {
      const int8_t* x = p.x + t * p.x_stride;
      for (int row = 0; row < kT2Rows; ++row) {
        int32_t sum = 0;
        for (int64_t step = 0; step < p.steps; ++step) {
          for (int c = 0; c < kT2Cols; ++c) {
            sum += value(codes + step * kT2LineBytes, row, c) * x[step * kT2Cols + c];
          }
        }
        p.y[t * p.y_stride + tile * kT2Rows + row] = sum;
      }
    }
  }
}

void matvec_t2_f32_reference(const MatvecT2F32& p, int64_t tile_begin, int64_t tile_end) noexcept {
  for (int64_t tile = tile_begin; tile < tile_end; ++tile) {
    const uint8_t* codes = p.codes + tile * p.tile_stride;
    for (int64_t t = 0; t < p.batch; ++t) {
      const float* x = p.x + t * p.x_stride;
      for (int row = 0; row < kT2Rows; ++row) {
        float sum = 0;
        float run = 0;
        for (int64_t step = 0; step < p.steps; ++step) {
          for (int c = 0; c < kT2Cols; ++c) {
            run += static_cast<float>(value(codes + step * kT2LineBytes, row, c)) *
                   x[step * kT2Cols + c];
          }
          if (step % kT2RunSteps == kT2RunSteps - 1 || step + 1 == p.steps) {
            sum += run;
            run = 0;
          }
        }
        p.y[t * p.y_stride + tile * kT2Rows + row] = sum;
      }
    }
  }
}

void matvec_groups_i8_reference(const MatvecGroupsI8& p, int64_t block_begin,
                                int64_t block_end) noexcept {
  multiply_groups(p, block_begin, block_end);
}

void matvec_groups_f32_reference(const MatvecGroupsF32& p, int64_t block_begin,
                                 int64_t block_end) noexcept {
  multiply_groups(p, block_begin, block_end);
}

}  // namespace rsr::kernels
