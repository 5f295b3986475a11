#include "kernels/tables/tables.h"

namespace rsr::kernels {
namespace {

float input(const TablesF32& p, int64_t column) {
  return column < p.cols ? p.x[column] : 0.0f;
}

/// Column of bit `bit` of a line's dwords.
int64_t column_of_bit(int64_t line, int bit) {
  return line * 32 + 4 * (bit % 8) + bit / 8;
}

float weighted(bool signs, unsigned code, int bit, float x) {
  const float weight = (code >> bit & 1) != 0 ? 1.0f : signs ? -1.0f : 0.0f;
  return weight * x;
}

float sum_of_four(bool signs, unsigned code, const float* x) {
  return (weighted(signs, code, 0, x[0]) + weighted(signs, code, 1, x[1])) +
         (weighted(signs, code, 2, x[2]) + weighted(signs, code, 3, x[3]));
}

}  // namespace

void tables_t3_f32_reference(const TablesF32& p, int64_t begin, int64_t end) noexcept {
  for (int64_t group = 6 * begin; group < 6 * end; ++group) {
    float* entry = p.tables + group * kTableFloats;
    const float x[3] = {input(p, 3 * group), input(p, 3 * group + 1), input(p, 3 * group + 2)};
    for (int code = 0; code < kTableFloats; ++code) {
      const auto sign = [&](int divisor) { return static_cast<float>(code / divisor % 3 - 1); };
      entry[code] = code < 27 ? (sign(1) * x[0] + sign(3) * x[1]) + sign(9) * x[2] : 0.0f;
    }
  }
}

void tables_b1_f32_reference(const TablesF32& p, int64_t begin, int64_t end) noexcept {
  for (int64_t pair = begin; pair < end; ++pair) {
    float* entry = p.tables + pair * (12 * kTableFloats + 16);
    for (int group = 0; group < 12; ++group, entry += kTableFloats) {
      float x[5];
      for (int i = 0; i < 5; ++i) {
        x[i] = input(p, column_of_bit(2 * pair + group / 6, group % 6 * 5 + i));
      }
      for (unsigned code = 0; code < kTableFloats; ++code) {
        entry[code] = sum_of_four(p.signs, code, x) + weighted(p.signs, code, 4, x[4]);
      }
    }
    const float x[4] = {
        input(p, column_of_bit(2 * pair, 30)), input(p, column_of_bit(2 * pair, 31)),
        input(p, column_of_bit(2 * pair + 1, 30)), input(p, column_of_bit(2 * pair + 1, 31))};
    for (unsigned code = 0; code < 16; ++code) entry[code] = sum_of_four(p.signs, code, x);
  }
}

}  // namespace rsr::kernels
