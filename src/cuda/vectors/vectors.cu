// One block a vector, its threads four columns at a time: two quads a thread up to 8,192 columns,
// so that a vector is a matter of two round trips to memory (it finds what it reads again in a
// cache) and two of the block's barriers.
#include <algorithm>
#include <cstdint>

#include "cuda/launch.h"
#include "kernels/quantize/quantize.h"

namespace rsr::cuda::RSR_SIMT {
namespace {

constexpr int kMostThreads = 1024;
constexpr int kColumns = 8;                 // of a thread, while there are threads
constexpr uint32_t kInfinity = 0x7F800000;  // from these bits on a magnitude is not finite
constexpr uint32_t kNotANumber = 0x7FC00000;

struct Shared {
  uint32_t most[kMostThreads / simt::kWarp];
  int32_t sums[kMostThreads / simt::kWarp];
};

/// Types of elements: `Four` of them are read at once, where they lie on a boundary of that size.
struct F32 {
  using Element = uint32_t;
  using Four = simt::Words4;
  RSR_DEVICE static uint32_t pick(const Four& four, int i) { return four.w[i]; }
  RSR_DEVICE static float value(uint32_t bits) { return simt::from_bits(bits); }
};
struct F16 {
  using Element = uint16_t;
  using Four = simt::Words2;
  RSR_DEVICE static uint32_t pick(const Four& four, int i) {
    return four.w[i / 2] >> 16 * (i % 2) & 0xFFFFU;
  }
  RSR_DEVICE static float value(uint32_t bits) {
    return simt::from_f16(static_cast<uint16_t>(bits));
  }
};
struct Bf16 : F16 {
  RSR_DEVICE static float value(uint32_t bits) {
    return simt::from_bf16(static_cast<uint16_t>(bits));
  }
};
struct I8 {
  using Element = uint8_t;
  using Four = uint32_t;
  RSR_DEVICE static uint32_t pick(Four four, int i) { return four >> 8 * i & 0xFFU; }
};

/// A vector of the caller's.
template <class T>
struct Row {
  const typename T::Element* x;
  int cols;
  bool aligned;

  RSR_DEVICE Row(const void* vectors, int64_t t, int32_t columns)
      : x(static_cast<const typename T::Element*>(vectors) + t * columns),
        cols(columns),
        aligned(reinterpret_cast<uintptr_t>(x) % sizeof(typename T::Four) == 0) {}

  /// Bits of the columns c to c + 3; zeros behind the last.
  RSR_DEVICE void read(int c, uint32_t (&bits)[4]) const {
    if (aligned && c + 4 <= cols) {
      const auto four = *reinterpret_cast<const typename T::Four*>(x + c);
      RSR_UNROLL
      for (int i = 0; i < 4; ++i) bits[i] = T::pick(four, i);
      return;
    }
    RSR_UNROLL
    for (int i = 0; i < 4; ++i) bits[i] = c + i < cols ? x[c + i] : 0;
  }
};

/// This lane's part of what the block's warps have left: `none` where there is no warp.
template <class T>
RSR_DEVICE T of_warps(const T* values, T none) {
  return simt::lane() < simt::threads() / simt::kWarp ? values[simt::lane()] : none;
}

/// The bits of max |x|, which order magnitudes as numbers do, with NaN above infinity.
template <class T>
RSR_DEVICE uint32_t largest_magnitude(Shared& s, const Row<T>& row) {
  uint32_t most = 0;
  for (int c = 4 * simt::thread(); c < row.cols; c += 4 * simt::threads()) {
    uint32_t bits[4];
    row.read(c, bits);
    RSR_UNROLL
    for (int i = 0; i < 4; ++i) {
      const uint32_t magnitude = simt::to_bits(T::value(bits[i])) & 0x7FFFFFFFU;
      most = magnitude > most ? magnitude : most;
    }
  }
  most = simt::warp_max(most);
  if (simt::lane() == 0) s.most[simt::warp()] = most;
  simt::sync();
  return simt::warp_max(of_warps(s.most, 0U));
}

/// Writes q of a vector, to_int8(bits) for each column, and their sum.
template <class T, class ToInt8>
RSR_DEVICE void write_vector(const Vectors& p, Shared& s, const Row<T>& row,
                             const ToInt8& to_int8) {
  auto* q = reinterpret_cast<uint32_t*>(p.q + simt::block_x() * p.q_stride);
  const auto end = static_cast<int>(p.q_stride);
  int32_t sum = 0;
  for (int c = 4 * simt::thread(); c < end; c += 4 * simt::threads()) {
    uint32_t bits[4];
    row.read(c, bits);
    uint32_t four = 0;
    RSR_UNROLL
    for (int i = 0; i < 4; ++i) {
      const int32_t value = to_int8(bits[i]);
      sum += value;
      four |= (static_cast<uint32_t>(value) & 0xFFU) << 8 * i;
    }
    q[c / 4] = four;
  }
  sum = simt::warp_sum(sum);
  if (simt::lane() == 0) s.sums[simt::warp()] = sum;
  simt::sync();
  if (simt::warp() != 0) return;
  sum = simt::warp_sum(of_warps(s.sums, 0));
  if (simt::thread() == 0) p.sums[simt::block_x()] = sum;
}

template <class T>
struct Quantised {
  float scale;
  bool finite;
  RSR_DEVICE int32_t operator()(uint32_t bits) const {
    return finite ? simt::round_half_even(T::value(bits) * scale) : 0;
  }
};
struct Copied {
  RSR_DEVICE int32_t operator()(uint32_t bits) const { return static_cast<int8_t>(bits); }
};

template <class T>
RSR_KERNEL(kMostThreads)
quantise_vectors(Vectors p) {
  auto& s = simt::shared<Shared>();
  simt::wait_for_previous();
  const Row<T> row(p.floats, simt::block_x(), p.cols);
  const uint32_t most = largest_magnitude(s, row);
  const bool finite = most < kInfinity;
  const float magnitude = simt::from_bits(most);
  const float m = magnitude > kernels::kQuantizeFloor ? magnitude : kernels::kQuantizeFloor;
  if (simt::thread() == 0) {
    const float inverse = simt::divide(m, 127.0f);
    p.inverse_scales[simt::block_x()] = finite ? inverse : simt::from_bits(kNotANumber);
  }
  write_vector(p, s, row, Quantised<T>{simt::divide(127.0f, m), finite});
}

RSR_KERNEL(kMostThreads) copy_vectors(Vectors p) {
  simt::wait_for_previous();
  const Row<I8> row(p.integers, simt::block_x(), p.cols);
  write_vector(p, simt::shared<Shared>(), row, Copied());
}

template <class T>
RSR_KERNEL(kMostThreads)
spoil_results(Spoil p) {
  auto& s = simt::shared<Shared>();
  simt::wait_for_previous();
  const Row<T> row(p.x, simt::block_x(), p.cols);
  if (largest_magnitude(s, row) < kInfinity) return;
  float* y = p.y + static_cast<int64_t>(simt::block_x()) * p.rows;
  for (int r = simt::thread(); r < p.rows; r += simt::threads()) {
    y[r] = simt::from_bits(kNotANumber);
  }
}

simt::Launch blocks_of(int32_t batch, int32_t cols) {
  const int warps = simt::ceil_div(cols, int64_t{kColumns} * simt::kWarp);
  return {batch, 1, std::min(warps * simt::kWarp, kMostThreads), sizeof(Shared)};
}

/// A kernel for each type of floats.
template <class Params>
struct Kernels {
  void (*f32)(Params);
  void (*f16)(Params);
  void (*bf16)(Params);

  auto* of(FloatType type) const {
    return type == FloatType::f32 ? f32 : type == FloatType::f16 ? f16 : bf16;
  }
};

}  // namespace

Status vectors(int device, void* stream, const Vectors& p) {
  constexpr Kernels<Vectors> kQuantise = {quantise_vectors<F32>, quantise_vectors<F16>,
                                          quantise_vectors<Bf16>};
  auto* kernel = p.floats != nullptr ? kQuantise.of(p.type) : copy_vectors;
  return launch(device, stream, blocks_of(p.batch, p.cols), kernel, p);
}

Status spoil(int device, void* stream, const Spoil& p) {
  constexpr Kernels<Spoil> kSpoil = {spoil_results<F32>, spoil_results<F16>, spoil_results<Bf16>};
  return launch(device, stream, blocks_of(p.batch, p.cols), kSpoil.of(p.type), p);
}

}  // namespace rsr::cuda::RSR_SIMT
