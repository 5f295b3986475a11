// For benchmarks: a kernel's speed as a share of multiply-adds from registers. Those are measured
// right before and after each call: a processor that is not ours alone changes its clock within
// milliseconds.
#pragma once

#include <algorithm>
#include <chrono>
#include <vector>

#include "kernels/peak/list.h"

namespace rsr::kernels {

inline double now_seconds() {
  using Clock = std::chrono::steady_clock;
  return std::chrono::duration<double>(Clock::now().time_since_epoch()).count();
}

template <class Params, class List>
double register_rate(const List& list, base::Isa isa) {
  Params p;
  p.rounds = 20000;
  const double begin = now_seconds();
  best_kernel(list, isa).function(p);
  return static_cast<double>(p.multiply_adds) / (now_seconds() - begin);
}

/// Multiply-adds per second of an instruction set: int8 (of the dot product, VNNI, where a machine
/// with 64-byte vectors has it), or float.
inline double register_rate(base::Isa isa, bool floats) {
  if (floats) return register_rate<PeakF32>(kPeakF32, isa);
  const bool dot = isa == base::Isa::avx512bw && base::has_isa(base::Isa::avx512vnni);
  return register_rate<PeakI8>(kPeakI8, dot ? base::Isa::avx512vnni : isa);
}

/// Median over 40 calls of multiply(), which does `multiply_adds`.
template <class Multiply>
double share_of_registers(base::Isa isa, bool floats, double multiply_adds,
                          const Multiply& multiply) {
  std::vector<double> shares;
  double before = register_rate(isa, floats);
  for (int i = 0; i < 40; ++i) {
    const double begin = now_seconds();
    multiply();
    const double rate = multiply_adds / (now_seconds() - begin);
    const double after = register_rate(isa, floats);
    shares.push_back(2 * rate / (before + after));
    before = after;
  }
  std::nth_element(shares.begin(), shares.begin() + 20, shares.end());
  return shares[20];
}

}  // namespace rsr::kernels
