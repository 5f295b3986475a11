#include <immintrin.h>

#include "kernels/matvec/matvec.h"

namespace rsr::kernels {
namespace {

/// Sums of a tile's 16 rows in double.
struct TileSums {
  double row[kMatvecTileRows];
};

inline void store(const Output& out, int64_t tile, int64_t token, const TileSums& sums) {
  const int64_t first = tile * kMatvecTileRows;
  const int64_t left = out.rows - first;
  const float token_scale = out.token_scales != nullptr ? out.token_scales[token] : 1.0f;
  float* y = out.y + token * out.stride + first;
  for (int64_t r = 0; r < left && r < kMatvecTileRows; ++r) {
    const float scale = out.row_scales != nullptr ? out.row_scales[first + r] : out.scale;
    y[r] = static_cast<float>(sums.row[r]) * token_scale * scale;
  }
}

inline __m256i load(const uint8_t* half_line) {
  return _mm256_load_si256(reinterpret_cast<const __m256i*>(half_line));
}

/// Four columns of field f: a chain from 0. A weight is a sign looked up by its code, in eight
/// lanes -1, 0, +1, 0, -1, ...: vpermps takes the index modulo 8.
template <int f>
__m256 field(__m256i line, const float* x) {
  const __m256 signs = _mm256_setr_ps(-1, 0, 1, 0, -1, 0, 1, 0);
  const auto product = [&](int bit, int column, __m256 sum) {
    const __m256i code = _mm256_and_si256(_mm256_srli_epi32(line, bit), _mm256_set1_epi32(3));
    return _mm256_fmadd_ps(_mm256_permutevar8x32_ps(signs, code), _mm256_set1_ps(x[column]), sum);
  };
  __m256 sum = product(2 * f, 4 * f, _mm256_setzero_ps());
  sum = product(8 + 2 * f, 4 * f + 1, sum);
  sum = product(16 + 2 * f, 4 * f + 2, sum);
  return product(24 + 2 * f, 4 * f + 3, sum);
}

struct T2 {
  static constexpr int kUnitLines = 1;
  static constexpr int kUnitFloats = 16;

  static __m256 unit(const uint8_t* half_line, int64_t, const float* x) {
    const __m256i line = load(half_line);
    const __m256 low = _mm256_add_ps(field<0>(line, x), field<1>(line, x));
    return _mm256_add_ps(low, _mm256_add_ps(field<2>(line, x), field<3>(line, x)));
  }
};

struct B1 {
  static constexpr int kUnitLines = 2;
  static constexpr int kUnitFloats = kB1PairFloats;

  static __m256 look_up(__m256i codes, int shift, const float* table) {
    const __m256i code = _mm256_and_si256(_mm256_srli_epi32(codes, shift), _mm256_set1_epi32(31));
    return _mm256_i32gather_ps(table, code, 4);
  }
  static __m256 line_sums(__m256i codes, const float* t) {
    const __m256 g01 = _mm256_add_ps(look_up(codes, 0, t), look_up(codes, 5, t + 32));
    const __m256 g23 = _mm256_add_ps(look_up(codes, 10, t + 64), look_up(codes, 15, t + 96));
    const __m256 g45 = _mm256_add_ps(look_up(codes, 20, t + 128), look_up(codes, 25, t + 160));
    return _mm256_add_ps(_mm256_add_ps(g01, g23), g45);
  }
  static __m256 unit(const uint8_t* half_line, int64_t lines, const float* x) {
    const __m256i first = load(half_line);
    const __m256i second = lines > 1 ? load(half_line + kMatvecLineBytes) : _mm256_setzero_si256();
    const __m256i left_over =
        _mm256_or_si256(_mm256_srli_epi32(first, 30),
                        _mm256_and_si256(_mm256_srli_epi32(second, 28), _mm256_set1_epi32(12)));
    __m256 both = line_sums(first, x);
    if (lines > 1) both = _mm256_add_ps(both, line_sums(second, x + 6 * 32));
    return _mm256_add_ps(both, _mm256_i32gather_ps(x + 12 * 32, left_over, 4));
  }
};

/// sums += the rows of one half tile in a run of lines, times their group scale.
inline void add_run(__m256 run, const float* scales, double* sums) {
  for (int i = 0; i < 2; ++i) {
    const __m128 four = i == 0 ? _mm256_castps256_ps128(run) : _mm256_extractf128_ps(run, 1);
    __m256d value = _mm256_cvtps_pd(four);
    if (scales != nullptr) {
      value = _mm256_mul_pd(value, _mm256_cvtps_pd(_mm_loadu_ps(scales + 4 * i)));
    }
    _mm256_storeu_pd(sums + 4 * i, _mm256_add_pd(_mm256_loadu_pd(sums + 4 * i), value));
  }
}

template <class Format>
void multiply_tile(const MatvecF32& p, int64_t tile, int64_t token) {
  const int64_t group_lines = p.w.group_lines > 0 ? p.w.group_lines : p.w.tile_lines;
  const uint8_t* lines = p.w.lines + tile * p.w.tile_stride;
  const float* x = p.x + token * p.x_stride;
  TileSums sums = {};
  for (int64_t begin = 0, group = 0; begin < p.w.tile_lines; begin += group_lines, ++group) {
    const int64_t end = begin + group_lines < p.w.tile_lines ? begin + group_lines : p.w.tile_lines;
    const float* scales = p.w.group_lines > 0
                              ? p.w.group_scales + (tile * p.w.groups() + group) * kMatvecTileRows
                              : nullptr;
    for (int64_t at = begin; at < end; at += kFloatRunLines) {
      const int64_t run_end = end - at < kFloatRunLines ? end : at + kFloatRunLines;
      __m256 run[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};
      for (int64_t i = at; i < run_end; i += Format::kUnitLines, x += Format::kUnitFloats) {
        const uint8_t* line = lines + i * kMatvecLineBytes;
        run[0] = _mm256_add_ps(run[0], Format::unit(line, run_end - i, x));
        run[1] = _mm256_add_ps(run[1], Format::unit(line + 32, run_end - i, x));
      }
      add_run(run[0], scales, sums.row);
      add_run(run[1], scales != nullptr ? scales + 8 : nullptr, sums.row + 8);
    }
  }
  store(p.out, tile, token, sums);
}

template <class Format>
void multiply_range(const MatvecF32& p, int64_t tile_begin, int64_t tile_end) {
  for (int64_t tile = tile_begin; tile < tile_end; ++tile) {
    for (int64_t t = 0; t < p.batch; ++t) multiply_tile<Format>(p, tile, t);
  }
}

}  // namespace

void matvec_t2_f32_avx2(const MatvecF32& p, int64_t tile_begin, int64_t tile_end) noexcept {
  multiply_range<T2>(p, tile_begin, tile_end);
}

void matvec_b1_f32_avx2(const MatvecF32& p, int64_t tile_begin, int64_t tile_end) noexcept {
  multiply_range<B1>(p, tile_begin, tile_end);
}

}  // namespace rsr::kernels
