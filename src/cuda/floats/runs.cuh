// One run of a pair of rows with the vectors of some tokens: what a thread of floats.cu does.
//
// Instructions per weight (sm_90, all of the loop): ternary and one token 3.05, of which 1.44 make
// the factor (values.cuh), 1 multiplies and adds it, 0.25 join fields and units, 0.13 read x;
// signs 3.3, binary 2.6. So 42 ternary weights per clock and multiprocessor, 9.7 T per second on an
// H200, whose memory has 17 T of t2 in that time: one token is bound by instructions. More tokens
// share factors: 2.2 for each of two, 1.8 of four, 1.6 of eight.
#pragma once

#include "cuda/floats/values.cuh"
#include "cuda/simt.h"

namespace rsr::cuda::RSR_SIMT {
namespace {

constexpr int kUnitCols = 16;
constexpr int kRunUnits = 8;
constexpr int kRunCols = kRunUnits * kUnitCols;
constexpr int kLineBytes = 64;
constexpr int kPairRows = 2;  // rows of a thread: x is read once for both

/// A run of a pair of rows.
struct Run {
  const uint8_t* lines;  // from the pair's first byte
  int count;             // of lines
  const float* x;        // of token t: x + t * token_stride
  int token_stride;
};

template <class Values>
constexpr int kRunLines = kRunUnits / Values::kLineUnits;

/// Lines that a thread asks for at once, while it works on as many others.
template <class Values, int kTokens>
constexpr int kAhead = kTokens <= 2 ? kRunLines<Values> / 2 : 2;

/// The lines first .. of `count` of a run, from a pair's first byte; those behind it as zeros,
/// which meet zeros in x.
template <int kCount>
RSR_DEVICE void load_lines(const uint8_t* lines, int first, int count, simt::Words2 (&w)[kCount]) {
  RSR_UNROLL
  for (int i = 0; i < kCount; ++i) {
    const auto* at = reinterpret_cast<const simt::Words2*>(lines + (first + i) * kLineBytes);
    w[i] = first + i < count ? simt::load_once(at) : simt::Words2{};
  }
}

/// runs += twice the units of one line; x of token t lies at x + t * token_stride.
template <class Values, int kTokens>
RSR_DEVICE void add_line(simt::Words2 w, const float* x, int token_stride,
                         float (&runs)[kPairRows][kTokens]) {
  const uint32_t rows[kPairRows] = {Values::prepare(w.w[0]), Values::prepare(w.w[1])};
  float left[kPairRows][kTokens] = {};
  float right[kPairRows][kTokens] = {};
  RSR_UNROLL
  for (int f = 0; f < 4 * Values::kLineUnits; ++f) {
    float twice[kPairRows][4];
    RSR_UNROLL
    for (int r = 0; r < kPairRows; ++r) factors(Values::bytes(rows[r], f), twice[r]);
    RSR_UNROLL
    for (int t = 0; t < kTokens; ++t) {
      const Floats4 v = *reinterpret_cast<const Floats4*>(x + t * token_stride + 4 * f);
      RSR_UNROLL
      for (int r = 0; r < kPairRows; ++r) {
        // Products are exact, so fma() rounds as a sum does; and that the first field of a unit
        // does not begin with 0 + could only change the sign of a zero, which the run's sum
        // forgets.
        float sum = twice[r][0] * v.v[0];
        sum = simt::fma(twice[r][1], v.v[1], sum);
        sum = simt::fma(twice[r][2], v.v[2], sum);
        sum = simt::fma(twice[r][3], v.v[3], sum);
        if (f % 4 == 0) left[r][t] = sum;
        if (f % 4 == 1) left[r][t] += sum;
        if (f % 4 == 2) right[r][t] = sum;
        if (f % 4 == 3) runs[r][t] += left[r][t] + (right[r][t] + sum);
      }
    }
  }
}

/// Binary weights of one token are no factors but questions: one instruction asks, one adds. (With
/// more tokens, factors are as cheap, and compilers do not turn them into branches.)
template <class Values, int kTokens>
constexpr bool kAsks = false;
template <>
inline constexpr bool kAsks<Binary, 1> = true;

/// runs += the units of one line of Binary.
RSR_DEVICE void ask_line(simt::Words2 w, const float* x, float (&runs)[kPairRows][1]) {
  float left[kPairRows] = {};
  float right[kPairRows] = {};
  RSR_UNROLL
  for (int f = 0; f < 4 * Binary::kLineUnits; ++f) {
    const Floats4 v = *reinterpret_cast<const Floats4*>(x + 4 * f);
    RSR_UNROLL
    for (int r = 0; r < kPairRows; ++r) {
      float sum = (w.w[r] >> f & 1U) != 0 ? v.v[0] : 0.0f;
      RSR_UNROLL
      for (int b = 1; b < 4; ++b) {
        if ((w.w[r] >> (8 * b + f) & 1U) != 0) sum += v.v[b];
      }
      if (f % 4 == 0) left[r] = sum;
      if (f % 4 == 1) left[r] += sum;
      if (f % 4 == 2) right[r] = sum;
      if (f % 4 == 3) runs[r][0] += left[r] + (right[r] + sum);
    }
  }
}

/// Twice the sums of a run; its first lines are in `next` already. A matrix' runs are at most
/// `most` lines long.
template <class Values, int kTokens>
RSR_DEVICE void sum_run(const Run& run, int most, simt::Words2 (&next)[kAhead<Values, kTokens>],
                        float (&sums)[kPairRows][kTokens]) {
  constexpr int kStep = kAhead<Values, kTokens>;
  for (int line = 0; line < most; line += kStep) {
    simt::Words2 now[kStep];
    RSR_UNROLL
    for (int i = 0; i < kStep; ++i) now[i] = next[i];
    load_lines(run.lines, line + kStep, run.count, next);
    RSR_UNROLL
    for (int i = 0; i < kStep; ++i) {
      const float* x = run.x + (line + i) * Values::kLineUnits * kUnitCols;
      if constexpr (kAsks<Values, kTokens>) {
        ask_line(now[i], x, sums);
      } else {
        add_line<Values>(now[i], x, run.token_stride, sums);
      }
    }
  }
  if constexpr (kAsks<Values, kTokens>) {
    RSR_UNROLL
    for (int r = 0; r < kPairRows; ++r) sums[r][0] *= 2.0f;
  }
}

/// The run of one row and token just as the contract says, for sums whose double is no float.
template <class Values>
RSR_DEVICE float careful_run(const uint8_t* lines, int count, const float* x) {
  float run = 0;
  for (int unit = 0; unit < count * Values::kLineUnits; ++unit) {
    const uint8_t* at = lines + unit / Values::kLineUnits * kLineBytes;
    const uint32_t row = Values::prepare(*reinterpret_cast<const uint32_t*>(at));
    float field[4] = {};
    for (int f = 0; f < 4; ++f) {
      float twice[4];
      factors(Values::bytes(row, unit % Values::kLineUnits * 4 + f), twice);
      for (int b = 0; b < 4; ++b) {
        if (Values::kSkipsZeros && twice[b] == 0.0f) continue;
        field[f] += 0.5f * twice[b] * x[unit * kUnitCols + 4 * f + b];
      }
    }
    run += (field[0] + field[1]) + (field[2] + field[3]);
  }
  return run;
}

RSR_DEVICE bool is_finite(float x) {
  return (simt::to_bits(x) & 0x7F800000U) != 0x7F800000U;
}

}  // namespace
}  // namespace rsr::cuda::RSR_SIMT
