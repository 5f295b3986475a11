// Turning a head by its position, and what becomes of keys and values on their way into the cache:
// the work of a block, with any number of threads.
#pragma once

#include "cuda/attention/attention.h"
#include "cuda/attention/elements.cuh"
#include "cuda/simt.h"

namespace rsr::cuda::RSR_SIMT {
namespace {

using kernels::KvType;

constexpr float kZeroRow = 1e-30f;  // zeros stay zeros
constexpr uint32_t kInfinityBits = 0x7F800000U;
constexpr uint32_t kNaNBits = 0x7FC00000U;

/// Scratch of a block.
struct AppendShared {
  uint32_t most[simt::kWarp];  // of warps
};

/// The angles of a position.
struct Angles {
  const float* cosine;
  const float* sine;
  int half;
};

/// Element `d` of a head, turned: a rounding for each product and sum.
RSR_DEVICE float turned(const float* x, const Angles& angles, int d) {
  const int i = d < angles.half ? d : d - angles.half;
  const float x0 = x[i];
  const float x1 = x[i + angles.half];
  const float cosine = angles.cosine[i];
  const float sine = angles.sine[i];
  return d < angles.half ? x0 * cosine - x1 * sine : x0 * sine + x1 * cosine;
}

/// The largest bits of |x| of the block: those of infinity or above when not all are finite.
template <class Of>
RSR_DEVICE uint32_t largest_bits(AppendShared& s, int dim, const Of& of) {
  uint32_t most = 0;
  for (int d = simt::thread(); d < dim; d += simt::threads()) {
    const uint32_t bits = simt::to_bits(of(d)) & 0x7FFFFFFFU;
    most = bits > most ? bits : most;
  }
  most = simt::warp_max(most);
  if (simt::lane() == 0) s.most[simt::warp()] = most;
  simt::sync();
  for (int i = 0; i < simt::threads() / simt::kWarp; ++i)
    most = s.most[i] > most ? s.most[i] : most;
  return most;
}

/// Where the elements of a head go: at `element` of `part`, `count` of them, `stride` apart.
struct Place {
  uint8_t* part;
  int64_t element;
  int stride;
  int count;
};

/// Stores of(0) .. of(dim - 1), and zeros behind, in the cache's type.
template <class Of>
RSR_DEVICE void store(const KvHeads& kv, const Place& place, float factor, const Of& of) {
  for (int d = simt::thread(); d < place.count; d += simt::threads()) {
    const float v = d < kv.dim ? of(d) : 0.0f;
    const int64_t at = place.element + static_cast<int64_t>(d) * place.stride;
    uint8_t* to = place.part;
    switch (kv.type) {
      case KvType::f32:
        reinterpret_cast<float*>(to)[at] = v;
        break;
      case KvType::f16:
        reinterpret_cast<uint16_t*>(to)[at] = simt::to_f16(v);
        break;
      case KvType::i8:
        reinterpret_cast<int8_t*>(to)[at] = static_cast<int8_t>(simt::round_half_even(v * factor));
        break;
    }
  }
}

/// For int8: 127 / max |x|, and what multiplies elements back goes to `scale`, which is a NaN where
/// an element is not finite: int8 could not say so.
template <class Of>
RSR_DEVICE float factor_of(AppendShared& s, KvType type, int dim, float* scale, const Of& of) {
  if (type != KvType::i8) return 1.0f;
  const uint32_t bits = largest_bits(s, dim, of);
  const float found = simt::from_bits(bits);
  const float most = found > kZeroRow ? found : kZeroRow;
  if (simt::thread() == 0) {
    *scale = bits < kInfinityBits ? simt::divide(most, 127.0f) : simt::from_bits(kNaNBits);
  }
  return simt::divide(127.0f, most);
}

RSR_DEVICE void append_key(AppendShared& s, const KvHeads& kv, uint8_t* head, const float* key,
                           const Angles& angles, int position) {
  const auto of = [&](int d) { return turned(key, angles, d); };
  auto* scales = reinterpret_cast<float*>(head + kv.key_scales_at);
  const float factor = factor_of(s, kv.type, kv.dim, scales + position, of);
  const int64_t element =
      static_cast<int64_t>(position / kernels::kKvLanes) * kv.dim * kernels::kKvLanes +
      position % kernels::kKvLanes;
  store(kv, {head, element, kernels::kKvLanes, kv.dim}, factor, of);
}

RSR_DEVICE void append_value(AppendShared& s, const KvHeads& kv, uint8_t* head, const float* value,
                             int position) {
  const auto of = [&](int d) { return value[d]; };
  auto* scales = reinterpret_cast<float*>(head + kv.value_scales_at);
  const float factor = factor_of(s, kv.type, kv.dim, scales + position, of);
  const int64_t element = static_cast<int64_t>(position) * kv.value_stride;
  store(kv, {head + kv.values_at, element, 1, kv.value_stride}, factor, of);
}

}  // namespace
}  // namespace rsr::cuda::RSR_SIMT
