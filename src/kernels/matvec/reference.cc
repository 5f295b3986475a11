#include <algorithm>
#include <array>

#include "kernels/matvec/matvec.h"
#include "matrix/format.h"
#include "segment/multiply.h"

namespace rsr::kernels {
namespace {

using matrix::Format;

/// The four codes of `row` at step `step` (four columns) of a tile of `lines` lines.
std::array<int, 4> codes_at(Format format, const uint8_t* tile, int64_t lines, int64_t step,
                            int row) {
  const auto byte = [&](int64_t line, int b) {
    return static_cast<int>(tile[line * kMatvecLineBytes + 4 * row + b]);
  };
  std::array<int, 4> codes{};
  for (int b = 0; b < 4; ++b) {
    if (format == Format::t2) codes[b] = byte(step / 4, b) >> 2 * (step % 4) & 3;
    if (format == Format::b1) codes[b] = byte(step / 8, b) >> (step % 8) & 1;
    if (format != Format::t5) continue;
    const int64_t block = step / 20 * 4;
    const int64_t n = std::min<int64_t>(lines - block, 4);
    const int64_t at = step - block * 5;
    const auto meaning = matrix::t5_decode(
        static_cast<uint8_t>(byte(block + (at < 4 * n ? at / 4 : at - 4 * n), b)));
    codes[b] = at < 4 * n ? matrix::quad_fields(meaning.quad) >> 2 * (at % 4) & 3 : meaning.fifth;
  }
  return codes;
}

/// Offset of four columns of a token in the packed inputs.
const int8_t* input(const MatvecI8& p, int64_t token, int64_t step) {
  const int64_t first = token / p.token_tile * p.token_tile;
  const int64_t width = std::min<int64_t>(p.token_tile, p.batch - first);
  return p.x + first * p.x_cols + (step * width + token - first) * 4;
}

float row_scale(const Output& out, int64_t row) {
  return out.row_scales != nullptr ? out.row_scales[row] : out.scale;
}
float token_scale(const Output& out, int64_t token) {
  return out.token_scales != nullptr ? out.token_scales[token] : 1.0f;
}

/// One result of an integer product. Sums are unsigned: they may wrap on the way.
void multiply_row(Format format, const MatvecI8& p, int64_t row, int64_t token) {
  const int64_t tile = row / kMatvecTileRows;
  const int line_steps = matrix::line_cols(format) / 4;
  const int64_t group_lines = p.w.group_lines > 0 ? p.w.group_lines : p.w.tile_lines;
  uint32_t sum = 0;
  float scaled = 0;
  for (int64_t group = 0; group < p.w.groups(); ++group) {
    sum = 0;
    const int64_t end = std::min(p.w.tile_lines, (group + 1) * group_lines);
    for (int64_t step = group * group_lines * line_steps; step < end * line_steps; ++step) {
      const auto codes = codes_at(format, p.w.lines + tile * p.w.tile_stride, p.w.tile_lines, step,
                                  static_cast<int>(row % kMatvecTileRows));
      const int8_t* x = input(p, token, step);
      for (int b = 0; b < 4; ++b) sum += static_cast<uint32_t>(codes[b] * x[b]);
    }
    sum = (sum << p.shift) - static_cast<uint32_t>(p.corrections[group * p.batch + token]);
    if (p.w.group_lines == 0) break;
    const float* scales = p.w.group_scales + (tile * p.w.groups() + group) * kMatvecTileRows;
    scaled += static_cast<float>(static_cast<int32_t>(sum)) * scales[row % kMatvecTileRows];
  }
  const int64_t at = token * p.out.stride + row;
  if (p.out.sums != nullptr) {
    p.out.sums[at] = static_cast<int32_t>(sum);
    return;
  }
  const float value = p.w.group_lines > 0 ? scaled : static_cast<float>(static_cast<int32_t>(sum));
  p.out.y[at] = value * token_scale(p.out, token) * row_scale(p.out, row);
}

void multiply(Format format, const MatvecI8& p, int64_t tile_begin, int64_t tile_end) {
  const int64_t end = std::min(p.out.rows, tile_end * kMatvecTileRows);
  for (int64_t t = 0; t < p.batch; ++t) {
    for (int64_t row = tile_begin * kMatvecTileRows; row < end; ++row) {
      multiply_row(format, p, row, t);
    }
  }
}

uint32_t dword_at(const uint8_t* line, int row) {
  const uint8_t* b = line + 4 * row;
  return b[0] | static_cast<uint32_t>(b[1]) << 8 | static_cast<uint32_t>(b[2]) << 16 |
         static_cast<uint32_t>(b[3]) << 24;
}

/// ((g0 + g1) + (g2 + g3)) + (g4 + g5): the sums of a dword's six codes.
float line_sum(uint32_t dword, const float* tables) {
  const auto entry = [&](int g) { return tables[32 * g + static_cast<int>(dword >> 5 * g & 31)]; };
  return ((entry(0) + entry(1)) + (entry(2) + entry(3))) + (entry(4) + entry(5));
}

float t2_unit(const uint8_t* line, int64_t, int row, const float* x) {
  float field[4];
  for (int f = 0; f < 4; ++f) {
    field[f] = 0;
    for (int b = 0; b < 4; ++b) {
      const int value = (line[4 * row + b] >> 2 * f & 3) - 1;
      field[f] += static_cast<float>(value) * x[4 * f + b];
    }
  }
  return (field[0] + field[1]) + (field[2] + field[3]);
}

float t3_unit(const uint8_t* line, int64_t, int row, const float* x) {
  return line_sum(dword_at(line, row), x);
}

float b1_unit(const uint8_t* line, int64_t lines, int row, const float* x) {
  const uint32_t first = dword_at(line, row);
  const uint32_t second = lines > 1 ? dword_at(line + kMatvecLineBytes, row) : 0;
  float both = line_sum(first, x);
  if (lines > 1) both += line_sum(second, x + 6 * 32);
  return both + x[12 * 32 + static_cast<int>(first >> 30 | (second >> 30) << 2)];
}

/// The float formats: a unit's sum of one row, its lines, the floats it meets.
struct FloatFormat {
  float (*unit)(const uint8_t* line, int64_t lines, int row, const float* x);
  int lines;
  int floats;
};

float multiply_row(const FloatFormat& format, const MatvecF32& p, int64_t row, int64_t token) {
  const int64_t tile = row / kMatvecTileRows;
  const int at = static_cast<int>(row % kMatvecTileRows);
  const int64_t group_lines = p.w.group_lines > 0 ? p.w.group_lines : p.w.tile_lines;
  const float* x = p.x + token * p.x_stride;
  double sum = 0;
  for (int64_t group = 0; group < p.w.groups(); ++group) {
    const int64_t end = std::min(p.w.tile_lines, (group + 1) * group_lines);
    const double scale =
        p.w.group_lines > 0 ? p.w.group_scales[(tile * p.w.groups() + group) * kMatvecTileRows + at]
                            : 1.0;
    for (int64_t begin = group * group_lines; begin < end; begin += kFloatRunLines) {
      const int64_t run_end = std::min(end, begin + kFloatRunLines);
      float run = 0;
      for (int64_t i = begin; i < run_end; i += format.lines, x += format.floats) {
        const uint8_t* line = p.w.lines + tile * p.w.tile_stride + i * kMatvecLineBytes;
        run += format.unit(line, run_end - i, at, x);
      }
      sum += static_cast<double>(run) * scale;
    }
  }
  return static_cast<float>(sum) * token_scale(p.out, token) * row_scale(p.out, row);
}

void multiply(const FloatFormat& format, const MatvecF32& p, int64_t tile_begin, int64_t tile_end) {
  const int64_t end = std::min(p.out.rows, tile_end * kMatvecTileRows);
  for (int64_t t = 0; t < p.batch; ++t) {
    for (int64_t row = tile_begin * kMatvecTileRows; row < end; ++row) {
      p.out.y[t * p.out.stride + row] = multiply_row(format, p, row, t);
    }
  }
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

void matvec_t5_i8_reference(const MatvecI8& p, int64_t tile_begin, int64_t tile_end) noexcept {
  multiply(Format::t5, p, tile_begin, tile_end);
}

void matvec_t2_i8_reference(const MatvecI8& p, int64_t tile_begin, int64_t tile_end) noexcept {
  multiply(Format::t2, p, tile_begin, tile_end);
}

void matvec_b1_i8_reference(const MatvecI8& p, int64_t tile_begin, int64_t tile_end) noexcept {
  multiply(Format::b1, p, tile_begin, tile_end);
}

void matvec_t2_f32_reference(const MatvecF32& p, int64_t tile_begin, int64_t tile_end) noexcept {
  multiply(FloatFormat{t2_unit, 1, 16}, p, tile_begin, tile_end);
}

void matvec_t3_f32_reference(const MatvecF32& p, int64_t tile_begin, int64_t tile_end) noexcept {
  multiply(FloatFormat{t3_unit, 1, kT3LineFloats}, p, tile_begin, tile_end);
}

void matvec_b1_f32_reference(const MatvecF32& p, int64_t tile_begin, int64_t tile_end) noexcept {
  multiply(FloatFormat{b1_unit, 2, kB1PairFloats}, p, tile_begin, tile_end);
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
