#include <immintrin.h>

#include "kernels/matvec/matvec.h"

namespace rsr::kernels {
namespace {

// Steps whose int16 pair sums fit: 4 fields a step, each pair at most 2 * 2 * 128 = 512 in size.
constexpr int kInt16Steps = 15;  // 15 * 4 * 512 = 30,720 < 32,768

/// int16 pair sums of up to kInt16Steps lines for 8 rows (half a line), as int32 per row.
__m256i pair_sums(const uint8_t* codes, const int8_t* x, int64_t steps) {
  const __m256i code_bits = _mm256_set1_epi8(3);
  __m256i sum = _mm256_setzero_si256();
  for (int64_t step = 0; step < steps; ++step) {
    const __m256i line =
        _mm256_load_si256(reinterpret_cast<const __m256i*>(codes + step * kT2LineBytes));
    const auto* four = reinterpret_cast<const int32_t*>(x + step * kT2Cols);
    const __m256i c0 = _mm256_and_si256(line, code_bits);
    const __m256i c1 = _mm256_and_si256(_mm256_srli_epi16(line, 2), code_bits);
    const __m256i c2 = _mm256_and_si256(_mm256_srli_epi16(line, 4), code_bits);
    const __m256i c3 = _mm256_and_si256(_mm256_srli_epi16(line, 6), code_bits);
    sum = _mm256_add_epi16(sum, _mm256_maddubs_epi16(c0, _mm256_set1_epi32(four[0])));
    sum = _mm256_add_epi16(sum, _mm256_maddubs_epi16(c1, _mm256_set1_epi32(four[1])));
    sum = _mm256_add_epi16(sum, _mm256_maddubs_epi16(c2, _mm256_set1_epi32(four[2])));
    sum = _mm256_add_epi16(sum, _mm256_maddubs_epi16(c3, _mm256_set1_epi32(four[3])));
  }
  return _mm256_madd_epi16(sum, _mm256_set1_epi16(1));
}

/// One run of lines for one token, 8 rows: as in the AVX-512 kernel.
__m256 run_f32(const uint8_t* codes, const float* x, int64_t steps) {
  const __m256 table = _mm256_setr_ps(-1, 0, 1, 0, -1, 0, 1, 0);
  const __m256i code_bits = _mm256_set1_epi32(3);
  __m256 sum = _mm256_setzero_ps();
  for (int64_t step = 0; step < steps; ++step) {
    const __m256i line =
        _mm256_load_si256(reinterpret_cast<const __m256i*>(codes + step * kT2LineBytes));
    for (int c = 0; c < kT2Cols; ++c) {
      const __m256i shifted = _mm256_srl_epi32(line, _mm_cvtsi32_si128(8 * (c % 4) + 2 * (c / 4)));
      const __m256 sign = _mm256_permutevar8x32_ps(table, _mm256_and_si256(shifted, code_bits));
      sum = _mm256_fmadd_ps(sign, _mm256_set1_ps(x[step * kT2Cols + c]), sum);
    }
  }
  return sum;
}

}  // namespace

void matvec_t2_i8_avx2(const MatvecT2I8& p, int64_t tile_begin, int64_t tile_end) noexcept {
  for (int64_t tile = tile_begin; tile < tile_end; ++tile) {
    for (int64_t t = 0; t < p.batch; ++t) {
      const int8_t* x = p.x + t * p.x_stride;
      for (int64_t half = 0; half < 2; ++half) {
        const uint8_t* codes = p.codes + tile * p.tile_stride + half * 32;
        __m256i sum = _mm256_set1_epi32(-p.x_sums[t]);
        for (int64_t step = 0; step < p.steps; step += kInt16Steps) {
          const int64_t steps = p.steps - step < kInt16Steps ? p.steps - step : kInt16Steps;
          sum = _mm256_add_epi32(sum,
                                 pair_sums(codes + step * kT2LineBytes, x + step * kT2Cols, steps));
        }
        int32_t* y = p.y + t * p.y_stride + tile * kT2Rows + half * 8;
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(y), sum);
      }
    }
  }
}

void matvec_t2_f32_avx2(const MatvecT2F32& p, int64_t tile_begin, int64_t tile_end) noexcept {
  for (int64_t tile = tile_begin; tile < tile_end; ++tile) {
    for (int64_t t = 0; t < p.batch; ++t) {
      const float* x = p.x + t * p.x_stride;
      for (int64_t half = 0; half < 2; ++half) {
        const uint8_t* codes = p.codes + tile * p.tile_stride + half * 32;
        __m256 sum = _mm256_setzero_ps();
        for (int64_t step = 0; step < p.steps; step += kT2RunSteps) {
          const int64_t steps = p.steps - step < kT2RunSteps ? p.steps - step : kT2RunSteps;
          sum = _mm256_add_ps(sum, run_f32(codes + step * kT2LineBytes, x + step * kT2Cols, steps));
        }
        _mm256_storeu_ps(p.y + t * p.y_stride + tile * kT2Rows + half * 8, sum);
      }
    }
  }
}

}  // namespace rsr::kernels
