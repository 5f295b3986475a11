// Unrolling by the compiler, for kernels: GCC 12 keeps an array of registers in registers only when
// every index is a constant.
#pragma once

#define RSR_INLINE __attribute__((always_inline))

namespace rsr::kernels {
namespace {

template <int i>
struct Index {
  constexpr operator int() const { return i; }  // NOLINT(google-explicit-constructor)
};

/// f(0) ... f(n - 1) with constant arguments. `f` should be always_inline, too.
template <int n, int i = 0, class F>
inline RSR_INLINE void repeat(const F& f) {
  if constexpr (i < n) {
    f(Index<i>{});
    repeat<n, i + 1>(f);
  }
}

}  // namespace
}  // namespace rsr::kernels
