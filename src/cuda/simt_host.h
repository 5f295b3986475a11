// The host's meaning of simt.h: a block is a set of fibers of one thread, which run one after the
// other from barrier to barrier, in an order that tests choose; its matrix instructions and
// shuffles are plain functions over what the lanes of a warp have laid down.
//
// What a GPU would punish is punished here: shared memory is as long as the launch says (and full
// of garbage at first), so AddressSanitizer sees what lies beyond; a barrier that some threads do
// not reach ends the program with its place; a missing barrier gives other results in another order
// of the fibers; asynchronous copies arrive when they are waited for and not before; the first
// block of a kernel starts before the kernel in front of it has, and stops in wait_for_previous().
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/float16.h"

#define RSR_SIMT emulated
#define RSR_DEVICE inline
#define RSR_KERNEL(threads) [[maybe_unused]] static void
#define RSR_KERNEL_BLOCKS(threads, blocks) [[maybe_unused]] static void
#define RSR_UNROLL

namespace rsr::cuda::simt {

inline constexpr int kWarp = 32;

namespace host {

/// Where the running fiber is.
struct Place {
  int thread = 0;
  int threads = 0;
  int block_x = 0;
  int block_y = 0;
  int blocks_x = 0;
  std::byte* shared = nullptr;
};
const Place& place();

void block_barrier();
void warp_barrier();
void previous_kernel();

/// Puts `bytes` (at most 32) of this lane where the others find them, waits for all lanes of the
/// warp, and gives the array of what each has put: 32 bytes a lane.
const std::byte* exchange(const void* mine, size_t bytes);
inline constexpr size_t kExchangeBytes = 32;

void copy_later(void* to, const void* from);
void close_copies();
void wait_for_copies(int pending);
/// Reads all of them, for AddressSanitizer to see.
void look_at(const void* at, int bytes);

}  // namespace host

inline int thread() {
  return host::place().thread;
}
inline int threads() {
  return host::place().threads;
}
inline int lane() {
  return thread() % kWarp;
}
inline int warp() {
  return thread() / kWarp;
}
inline int block_x() {
  return host::place().block_x;
}
inline int block_y() {
  return host::place().block_y;
}
inline int blocks_x() {
  return host::place().blocks_x;
}

inline void wait_for_previous() {
  host::previous_kernel();
}
inline void sync() {
  host::block_barrier();
}
inline void warp_sync() {
  host::warp_barrier();
}

template <class T>
T& shared() {
  return *reinterpret_cast<T*>(host::place().shared);
}

inline uint32_t shared_place(const void* at) {
  constexpr uint32_t kBefore = 1024;  // as on a GPU
  return kBefore + static_cast<uint32_t>(static_cast<const std::byte*>(at) - host::place().shared);
}
inline uint32_t load_shared(uint32_t place) {
  uint32_t value = 0;
  std::memcpy(&value, host::place().shared + (place - shared_place(host::place().shared)),
              sizeof value);
  return value;
}

template <class T>
T shuffle(T value, int from) {
  static_assert(sizeof(T) <= host::kExchangeBytes);
  const std::byte* all = host::exchange(&value, sizeof value);
  std::memcpy(&value, all + static_cast<size_t>(from % kWarp) * host::kExchangeBytes, sizeof value);
  return value;
}
template <class T>
T shuffle_xor(T value, int mask) {
  return shuffle(value, lane() ^ mask);
}
template <class T, class Op>
T over_warp(T value, const Op& op) {
  const std::byte* all = host::exchange(&value, sizeof value);
  for (int i = 0; i < kWarp; ++i) {
    T other;
    std::memcpy(&other, all + static_cast<size_t>(i) * host::kExchangeBytes, sizeof other);
    if (i != lane()) value = op(value, other);
  }
  return value;
}
inline uint32_t warp_max(uint32_t value) {
  return over_warp(value, [](uint32_t a, uint32_t b) { return a > b ? a : b; });
}
inline int32_t warp_sum(int32_t value) {
  return over_warp(value, [](int32_t a, int32_t b) { return a + b; });
}

inline void fence() {}
template <class T>
T load_fresh(const T* at) {
  return *at;
}
template <class T>
T atomic_add(T* at, T value) {
  const T before = *at;
  *at = static_cast<T>(before + value);
  return before;
}
template <class T>
T atomic_max(T* at, T value) {
  const T before = *at;
  if (value > before) *at = value;
  return before;
}

inline int32_t dp4a(uint32_t codes, uint32_t x, int32_t sum) {
  auto total = static_cast<uint32_t>(sum);
  for (int b = 0; b < 32; b += 8) {
    const auto code = static_cast<int32_t>(codes >> b & 0xFFU);
    const auto value = static_cast<int8_t>(x >> b & 0xFFU);
    total += static_cast<uint32_t>(code * value);
  }
  return static_cast<int32_t>(total);
}

inline void mma_u8_s8(int32_t (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  const uint32_t mine[6] = {a[0], a[1], a[2], a[3], b[0], b[1]};
  const std::byte* all = host::exchange(mine, sizeof mine);
  const auto word = [all](int of_lane, int i) {
    uint32_t value = 0;
    const auto at = static_cast<size_t>(of_lane) * host::kExchangeBytes;
    std::memcpy(&value, all + at + static_cast<size_t>(i) * sizeof value, sizeof value);
    return value;
  };
  const int g = lane() / 4;
  const int t = lane() % 4;
  for (int i = 0; i < 4; ++i) {
    const int low_or_high = i / 2;  // row g or g + 8
    const int col = 2 * t + i % 2;  // of b: held by the lanes 4 col ..
    for (int k = 0; k < 4; ++k) {   // lanes of a row, four columns each
      c[i] = dp4a(word(4 * g + k, low_or_high), word(4 * col + k, 4), c[i]);
      c[i] = dp4a(word(4 * g + k, 2 + low_or_high), word(4 * col + k, 5), c[i]);
    }
  }
}

inline void mma_u8_s8(int32_t (&c)[4], const uint32_t (&a)[2], uint32_t b) {
  mma_u8_s8(c, {a[0], a[1], 0, 0}, {b, 0});
}

inline uint32_t byte_permute(uint32_t x, uint32_t y, uint32_t selector) {
  const uint64_t both = static_cast<uint64_t>(y) << 32 | x;
  uint32_t result = 0;
  for (int i = 0; i < 4; ++i) {
    const uint32_t from = selector >> 4 * i & 7U;
    result |= static_cast<uint32_t>(both >> 8 * from & 0xFFU) << 8 * i;
  }
  return result;
}

struct alignas(8) Words2 {
  uint32_t w[2];
};
struct alignas(16) Words4 {
  uint32_t w[4];
};
inline Words2 load_once(const Words2* at) {
  return *at;
}
inline Words4 load_once(const Words4* at) {
  return *at;
}
inline Words2 load_in_order(const Words2* at) {
  return *at;
}

inline void prefetch(const void* at, int bytes) {
  host::look_at(at, bytes);
}

inline void copy_async(void* to_shared, const void* from) {
  host::copy_later(to_shared, from);
}
inline void copies_commit() {
  host::close_copies();
}
template <int pending>
void copies_wait() {
  host::wait_for_copies(pending);
}

inline float fma(float a, float b, float c) {
  return std::fmaf(a, b, c);
}
inline int32_t round_half_even(float x) {
  return static_cast<int32_t>(std::lrintf(x));
}
inline float absolute(float x) {
  return std::fabs(x);
}
inline float square_root(float x) {
  return std::sqrt(x);
}
inline float divide(float a, float b) {
  return a / b;
}
inline float from_bits(uint32_t bits) {
  return std::bit_cast<float>(bits);
}
inline uint32_t to_bits(float x) {
  return std::bit_cast<uint32_t>(x);
}
inline float from_f16(uint16_t bits) {
  return base::from_f16(bits);
}
inline float from_bf16(uint16_t bits) {
  return base::from_bf16(bits);
}
inline uint16_t to_f16(float x) {
  return base::to_f16(x);
}

}  // namespace rsr::cuda::simt
