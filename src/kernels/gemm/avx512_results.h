// From sums of codes times inputs to results, 16 rows in a register: what all AVX-512 kernels of
// this operation end with.
#pragma once

#include <immintrin.h>

#include "kernels/gemm/gemm.h"

namespace rsr::kernels {
namespace {

/// What becomes of the sums of one tile of rows and one group of columns: what they share is kept
/// here, in registers if all goes well.
class Finish {
 public:
  Finish(const MatvecI8& p, int64_t tile, int64_t group)
      : out_(p.out),
        corrections_(p.corrections + group * p.batch),
        row_(tile * kMatvecTileRows),
        shift_(_mm_cvtsi32_si128(p.shift)),
        first_(group == 0),
        last_(group + 1 == p.w.groups()) {
    const int64_t left = p.out.rows - row_;
    rows_ = left >= kMatvecTileRows ? __mmask16{0xFFFF} : static_cast<__mmask16>((1u << left) - 1);
    grouped_ = p.w.group_lines > 0;
    if (grouped_) {
      const int64_t at = tile * p.w.groups() + group;
      group_scales_ = _mm512_loadu_ps(p.w.group_scales + at * kMatvecTileRows);
    }
    row_scales_ = p.out.row_scales != nullptr
                      ? _mm512_maskz_loadu_ps(rows_, p.out.row_scales + row_)
                      : _mm512_set1_ps(p.out.scale);
  }

  /// `codes`: sums of codes times inputs of one vector. `scaled`: its total of the groups so far,
  /// which the caller keeps; not used without group scales.
  void operator()(int64_t token, __m512i codes, float* scaled) const {
    const __m512i correction = _mm512_set1_epi32(corrections_[token]);
    const __m512i sum = _mm512_sub_epi32(_mm512_sll_epi32(codes, shift_), correction);
    __m512 value = _mm512_cvtepi32_ps(sum);
    if (grouped_) {
      value = _mm512_mul_ps(value, group_scales_);
      if (!first_) value = _mm512_add_ps(_mm512_load_ps(scaled), value);
      if (!last_) return _mm512_store_ps(scaled, value);
    }
    if (!last_) return;
    const int64_t at = token * out_.stride + row_;
    if (out_.sums != nullptr) return _mm512_mask_storeu_epi32(out_.sums + at, rows_, sum);
    const float scale = out_.token_scales != nullptr ? out_.token_scales[token] : 1.0f;
    value = _mm512_mul_ps(_mm512_mul_ps(value, _mm512_set1_ps(scale)), row_scales_);
    _mm512_mask_storeu_ps(out_.y + at, rows_, value);
  }

 private:
  const Output& out_;
  const int32_t* corrections_;
  int64_t row_;
  __m128i shift_;
  bool first_;
  bool last_;
  bool grouped_;
  __mmask16 rows_;
  __m512 group_scales_ = _mm512_setzero_ps();
  __m512 row_scales_;
};

}  // namespace
}  // namespace rsr::kernels
