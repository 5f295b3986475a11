// Masks of the kernels with AVX-512.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace rsr::kernels {
namespace {

/// The first `n` of sixteen lanes; none where n is negative, all from sixteen on.
inline __mmask16 lanes_below(int64_t n) {
  return n <= 0    ? __mmask16{0}
         : n >= 16 ? __mmask16{0xFFFF}
                   : static_cast<__mmask16>((1u << n) - 1);
}

}  // namespace
}  // namespace rsr::kernels
