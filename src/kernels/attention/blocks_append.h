// kv_append over `Lanes`: one position's key and value in the cache's type.
#pragma once

#include <cstdint>

#include "kernels/attention/attention.h"

namespace rsr::kernels {
namespace {

/// Rows of floats, padded with zeros to whole vectors, in `T`; for int8 times 127 / max |x|, and
/// what multiplies them back goes to `scale`.
template <class T>
inline void convert(const float* x, int64_t dim, T* out, float* scale) {
  alignas(64) float row[kMostHeadDim];
  const int64_t padded = (dim + kKvLanes - 1) / kKvLanes * kKvLanes;
  for (int64_t i = 0; i < dim; ++i) row[i] = x[i];
  for (int64_t i = dim; i < padded; ++i) row[i] = 0.0f;
  Lanes::F factor = Lanes::all(1.0f);
  if (scale != nullptr) {
    Lanes::F most = Lanes::zero();
    Lanes::F nan = Lanes::zero();  // or NaN, which int8 cannot hold: the scale shall
    for (int64_t i = 0; i < padded; i += kKvLanes) {
      const Lanes::F v = Lanes::load(row + i);
      most = Lanes::max(most, Lanes::abs(v));
      nan = Lanes::fma(v, Lanes::zero(), nan);
    }
    alignas(64) float lanes[2][kKvLanes];
    Lanes::store(lanes[0], most);
    Lanes::store(lanes[1], nan);
    float m = 1e-30f;  // zeros stay zeros
    float bad = 0.0f;
    for (int i = 0; i < kKvLanes; ++i) {
      m = lanes[0][i] > m ? lanes[0][i] : m;
      bad += lanes[1][i];
    }
    *scale = m / 127.0f + bad;
    factor = Lanes::all(127.0f / m);
  }
  for (int64_t i = 0; i < padded; i += kKvLanes) {
    const Lanes::F v = Lanes::load(row + i);
    Lanes::store(out + i, scale != nullptr ? Lanes::mul(v, factor) : v);
  }
}

template <class T>
void append(const KvAppend& p) {
  alignas(64) T key[kMostHeadDim];
  const bool scaled = p.key_scales != nullptr;
  convert(p.key, p.dim, key, scaled ? p.key_scales + p.position : nullptr);
  T* keys =
      static_cast<T*>(p.keys) + p.position / kKvLanes * p.dim * kKvLanes + p.position % kKvLanes;
  for (int64_t d = 0; d < p.dim; ++d) keys[d * kKvLanes] = key[d];
  convert(p.value, p.dim, static_cast<T*>(p.values) + p.position * p.value_stride,
          scaled ? p.value_scales + p.position : nullptr);
}

}  // namespace
}  // namespace rsr::kernels
