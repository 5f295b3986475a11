#include <immintrin.h>

#include "kernels/matvec/matvec.h"

namespace rsr::kernels {
namespace {

// Tokens that share the four ANDs of a line: 4 tokens x 4 fields are 16 accumulators, and with
// them 2 + 1/4 instructions per 64 weights and token become 1 + 1/4.
constexpr int kTokens = 4;

/// Dot products of one row tile with `tokens` vectors.
template <int tokens>
void tile_i8(const MatvecT2I8& p, const uint8_t* codes, int64_t token, int32_t* y) {
  const __m512i field0 = _mm512_set1_epi8(0x03);
  const __m512i field1 = _mm512_set1_epi8(0x0C);
  const __m512i field2 = _mm512_set1_epi8(0x30);
  const __m512i field3 = _mm512_set1_epi8(static_cast<char>(0xC0));
  const int8_t* x = p.x + token * p.x_stride;
  __m512i total[tokens];
  for (int t = 0; t < tokens; ++t) total[t] = _mm512_set1_epi32(-p.x_sums[token + t]);

  for (int64_t begin = 0; begin < p.steps; begin += kT2MaxSteps) {
    const int64_t end = begin + kT2MaxSteps < p.steps ? begin + kT2MaxSteps : p.steps;
    __m512i acc[tokens][4];
    for (int t = 0; t < tokens; ++t) {
      for (int f = 0; f < 4; ++f) acc[t][f] = _mm512_setzero_si512();
    }
    for (int64_t step = begin; step < end; ++step) {
      const __m512i line = _mm512_load_si512(codes + step * kT2LineBytes);
      const __m512i c0 = _mm512_and_si512(line, field0);
      const __m512i c1 = _mm512_and_si512(line, field1);
      const __m512i c2 = _mm512_and_si512(line, field2);
      const __m512i c3 = _mm512_and_si512(line, field3);
      for (int t = 0; t < tokens; ++t) {
        const auto* four = reinterpret_cast<const int32_t*>(x + t * p.x_stride + step * kT2Cols);
        acc[t][0] = _mm512_dpbusd_epi32(acc[t][0], c0, _mm512_set1_epi32(four[0]));
        acc[t][1] = _mm512_dpbusd_epi32(acc[t][1], c1, _mm512_set1_epi32(four[1]));
        acc[t][2] = _mm512_dpbusd_epi32(acc[t][2], c2, _mm512_set1_epi32(four[2]));
        acc[t][3] = _mm512_dpbusd_epi32(acc[t][3], c3, _mm512_set1_epi32(four[3]));
      }
    }
    for (int t = 0; t < tokens; ++t) {
      const __m512i low = _mm512_add_epi32(acc[t][0], _mm512_srai_epi32(acc[t][1], 2));
      const __m512i high =
          _mm512_add_epi32(_mm512_srai_epi32(acc[t][2], 4), _mm512_srai_epi32(acc[t][3], 6));
      total[t] = _mm512_add_epi32(total[t], _mm512_add_epi32(low, high));
    }
  }
  for (int t = 0; t < tokens; ++t) _mm512_storeu_si512(y + t * p.y_stride, total[t]);
}

/// One run of 16-column lines for one token: 16 rows in 16 lanes, columns in order. The product of
/// a column is looked up by its code: {-x, 0, +x}.
__m512 run_f32(const uint8_t* codes, const float* x, int64_t steps) {
  // Lane i of the table is -1, 0, +1 for i % 4 = 0, 1, 2: vpermps takes the index modulo 16, so the
  // higher bits of the shifted dword must go.
  const __m512 table = _mm512_setr_ps(-1, 0, 1, 0, -1, 0, 1, 0, -1, 0, 1, 0, -1, 0, 1, 0);
  const __m512i code_bits = _mm512_set1_epi32(3);
  __m512 sum = _mm512_setzero_ps();
  for (int64_t step = 0; step < steps; ++step) {
    const __m512i line = _mm512_load_si512(codes + step * kT2LineBytes);
    for (int c = 0; c < kT2Cols; ++c) {
      const __m512i shifted = _mm512_srl_epi32(line, _mm_cvtsi32_si128(8 * (c % 4) + 2 * (c / 4)));
      const __m512 sign = _mm512_permutexvar_ps(_mm512_and_si512(shifted, code_bits), table);
      // The product is exact, so fused or not the sum has the same bits.
      sum = _mm512_fmadd_ps(sign, _mm512_set1_ps(x[step * kT2Cols + c]), sum);
    }
  }
  return sum;
}

}  // namespace

void matvec_t2_i8_avx512vnni(const MatvecT2I8& p, int64_t tile_begin, int64_t tile_end) noexcept {
  for (int64_t tile = tile_begin; tile < tile_end; ++tile) {
    const uint8_t* codes = p.codes + tile * p.tile_stride;
    int64_t t = 0;
    for (; t + kTokens <= p.batch; t += kTokens) {
      tile_i8<kTokens>(p, codes, t, p.y + t * p.y_stride + tile * kT2Rows);
    }
    for (; t < p.batch; ++t) tile_i8<1>(p, codes, t, p.y + t * p.y_stride + tile * kT2Rows);
  }
}

void matvec_t2_f32_avx512vnni(const MatvecT2F32& p, int64_t tile_begin, int64_t tile_end) noexcept {
  for (int64_t tile = tile_begin; tile < tile_end; ++tile) {
    const uint8_t* codes = p.codes + tile * p.tile_stride;
    for (int64_t t = 0; t < p.batch; ++t) {
      const float* x = p.x + t * p.x_stride;
      __m512 sum = _mm512_setzero_ps();
      for (int64_t step = 0; step < p.steps; step += kT2RunSteps) {
        const int64_t steps = p.steps - step < kT2RunSteps ? p.steps - step : kT2RunSteps;
        sum = _mm512_add_ps(sum, run_f32(codes + step * kT2LineBytes, x + step * kT2Cols, steps));
      }
      _mm512_storeu_ps(p.y + t * p.y_stride + tile * kT2Rows, sum);
    }
  }
}

}  // namespace rsr::kernels
