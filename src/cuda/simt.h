// The language that GPU kernels are written in: CUDA's threads, blocks, barriers, shuffles and
// matrix instructions under names of our own, so that the same source compiles for a GPU (nvcc) and
// for the host (simt_host.h), where every kernel is tested on machines without one.
//
// A kernel is `RSR_KERNEL(threads) name(Params p)`, over blocks of at most that many threads in one
// dimension. Its shared memory is one struct, shared<T>(). Rules that keep both meanings the same:
//   - every thread of a block reaches each sync(), every lane of a warp each warp operation;
//   - every kernel calls wait_for_previous() before it touches what another kernel writes or reads;
//   - floats are added and multiplied one rounding at a time (no contraction); fma() is written
//   out;
//   - what changes from launch to launch of a captured graph is read from device memory.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__CUDACC__)

#include <cuda_fp16.h>
#include <cuda_runtime.h>

#define RSR_SIMT nvidia
#define RSR_DEVICE __device__ __forceinline__
#define RSR_KERNEL(threads) static __global__ void __launch_bounds__(threads)
// With so few registers that a multiprocessor holds `blocks` blocks at a time.
#define RSR_KERNEL_BLOCKS(threads, blocks) static __global__ void __launch_bounds__(threads, blocks)
#define RSR_UNROLL _Pragma("unroll")

namespace rsr::cuda::simt {

inline constexpr int kWarp = 32;
inline constexpr uint32_t kAll = 0xFFFFFFFFU;

RSR_DEVICE int thread() {
  return static_cast<int>(threadIdx.x);
}
RSR_DEVICE int threads() {
  return static_cast<int>(blockDim.x);
}
RSR_DEVICE int lane() {
  return static_cast<int>(threadIdx.x % unsigned{kWarp});
}
RSR_DEVICE int warp() {
  return static_cast<int>(threadIdx.x / unsigned{kWarp});
}
RSR_DEVICE int block_x() {
  return static_cast<int>(blockIdx.x);
}
RSR_DEVICE int block_y() {
  return static_cast<int>(blockIdx.y);
}
RSR_DEVICE int blocks_x() {
  return static_cast<int>(gridDim.x);
}

/// Waits until the kernel before this one in the stream has ended, and what it wrote can be read.
/// Blocks may start while that kernel still runs (compute capability 9.0; before, they do not), and
/// so may those of the next one from here on. Weights, which no kernel writes, may be read earlier;
/// nothing else may, not even what kernels further back have written: they may not have ended, as
/// each ends after the one before it.
RSR_DEVICE void wait_for_previous() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

/// Waits for all threads of the block, and makes their writes visible to each other.
RSR_DEVICE void sync() {
  __syncthreads();
}
RSR_DEVICE void warp_sync() {
  __syncwarp();
}

/// The block's shared memory: uninitialised, on a 256-byte boundary, as long as the launch says.
template <class T>
RSR_DEVICE T& shared() {
  extern __shared__ __align__(256) unsigned char memory[];
  return *reinterpret_cast<T*>(memory);
}

/// A place in shared memory as a number, for addresses that are put together bit by bit. Numbers
/// count from the start of all shared memory, where a kilobyte may lie that is not the kernel's.
RSR_DEVICE uint32_t shared_place(const void* at) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(at));
}
RSR_DEVICE uint32_t load_shared(uint32_t place) {
  uint32_t value;
  asm volatile("ld.shared.u32 %0, [%1];" : "=r"(value) : "r"(place));
  return value;
}

/// The value that another lane of the warp passes; all lanes call it.
template <class T>
RSR_DEVICE T shuffle(T value, int from) {
  return __shfl_sync(kAll, value, from);
}
template <class T>
RSR_DEVICE T shuffle_xor(T value, int mask) {
  return __shfl_xor_sync(kAll, value, mask);
}
/// Over all lanes of the warp, which all call it.
RSR_DEVICE uint32_t warp_max(uint32_t value) {
  return __reduce_max_sync(kAll, value);
}
RSR_DEVICE int32_t warp_sum(int32_t value) {
  return __reduce_add_sync(kAll, value);
}

/// Other blocks see what this thread has written before what it writes from here on, and it sees
/// what they had written before what it has read.
RSR_DEVICE void fence() {
  __threadfence();
}
/// What another block of this kernel has written: past the first cache.
RSR_DEVICE float load_fresh(const float* at) {
  return __ldcg(at);
}
RSR_DEVICE uint64_t load_fresh(const uint64_t* at) {
  return __ldcg(reinterpret_cast<const unsigned long long*>(at));
}
template <class T>
RSR_DEVICE T atomic_add(T* at, T value) {
  return atomicAdd(at, value);
}
RSR_DEVICE uint64_t atomic_add(uint64_t* at, uint64_t value) {
  return atomicAdd(reinterpret_cast<unsigned long long*>(at), value);
}
RSR_DEVICE int32_t atomic_max(int32_t* at, int32_t value) {
  return atomicMax(at, value);
}
RSR_DEVICE uint64_t atomic_max(uint64_t* at, uint64_t value) {
  return atomicMax(reinterpret_cast<unsigned long long*>(at), value);
}

/// sum + the four products of unsigned bytes of `codes` and signed bytes of `x`.
RSR_DEVICE int32_t dp4a(uint32_t codes, uint32_t x, int32_t sum) {
  asm("dp4a.u32.s32 %0, %1, %2, %3;" : "=r"(sum) : "r"(codes), "r"(x), "r"(sum));
  return sum;
}

/// c[16 rows, 8 cols] += a[16, 32] b[32, 8] over a warp: a unsigned bytes, b signed. With
/// g = lane / 4, t = lane % 4: a[0..3] are (row g, k 4t..), (row g + 8, k 4t..), (row g, k 16 +
/// 4t..), (row g + 8, k 16 + 4t..); b[0..1] are (k 4t.., col g), (k 16 + 4t.., col g); c[0..3] are
/// (row g, col 2t), (row g, col 2t + 1), (row g + 8, col 2t), (row g + 8, col 2t + 1).
RSR_DEVICE void mma_u8_s8(int32_t (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  asm("mma.sync.aligned.m16n8k32.row.col.s32.u8.s8.s32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

/// The same with half as many k: c += a[16, 16] b[16, 8]; a[0..1] are (row g, k 4t..), (row g + 8,
/// k 4t..), and b is (k 4t.., col g).
RSR_DEVICE void mma_u8_s8(int32_t (&c)[4], const uint32_t (&a)[2], uint32_t b) {
  asm("mma.sync.aligned.m16n8k16.row.col.s32.u8.s8.s32 {%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"
      : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(b));
}

/// Bytes of the words x and y (0..3 and 4..7), chosen by the four low nibbles of `selector`.
RSR_DEVICE uint32_t byte_permute(uint32_t x, uint32_t y, uint32_t selector) {
  return __byte_perm(x, y, selector);
}

struct alignas(8) Words2 {
  uint32_t w[2];
};
struct alignas(16) Words4 {
  uint32_t w[4];
};

/// Reads that pass through once: they do not stay in the first cache.
RSR_DEVICE Words2 load_once(const Words2* at) {
  Words2 v;
  asm("ld.global.nc.L1::no_allocate.v2.u32 {%0,%1}, [%2];" : "=r"(v.w[0]), "=r"(v.w[1]) : "l"(at));
  return v;
}
RSR_DEVICE Words4 load_once(const Words4* at) {
  Words4 v;
  asm("ld.global.nc.L1::no_allocate.v4.u32 {%0,%1,%2,%3}, [%4];"
      : "=r"(v.w[0]), "=r"(v.w[1]), "=r"(v.w[2]), "=r"(v.w[3])
      : "l"(at));
  return v;
}

/// The same in the order written: asked for before a warp_sync() that follows, so that a loop can
/// ask ahead. (The compiler moves load_once() down to where its value is used.)
RSR_DEVICE Words2 load_in_order(const Words2* at) {
  Words2 v;
  asm volatile("ld.global.L1::no_allocate.v2.u32 {%0,%1}, [%2];"
               : "=r"(v.w[0]), "=r"(v.w[1])
               : "l"(at));
  return v;
}

/// Brings bytes nearer, into the second cache; nobody waits for them. A multiple of 16, from a
/// 16-byte boundary; one thread asks for all. Where kernels do not start beside the one in front,
/// nothing: there it would bring what is asked for next anyway.
RSR_DEVICE void prefetch(const void* at, int bytes) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("cp.async.bulk.prefetch.L2.global [%0], %1;" ::"l"(at), "r"(bytes) : "memory");
#endif
}

/// Sixteen bytes on their way from device to shared memory, past the registers. They are there
/// after copies_wait() of the thread that asked, and for the others after a sync() behind it.
RSR_DEVICE void copy_async(void* to_shared, const void* from) {
  const auto to = static_cast<uint32_t>(__cvta_generic_to_shared(to_shared));
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to), "l"(from) : "memory");
}
/// Closes a batch of copies.
RSR_DEVICE void copies_commit() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}
/// Waits until at most `pending` of the latest batches of this thread are on their way.
template <int pending>
RSR_DEVICE void copies_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(pending) : "memory");
}

RSR_DEVICE float fma(float a, float b, float c) {
  return __fmaf_rn(a, b, c);
}
RSR_DEVICE int32_t round_half_even(float x) {
  return __float2int_rn(x);
}
RSR_DEVICE float absolute(float x) {
  return fabsf(x);
}
RSR_DEVICE float square_root(float x) {
  return __fsqrt_rn(x);
}
RSR_DEVICE float divide(float a, float b) {
  return __fdiv_rn(a, b);
}
RSR_DEVICE float from_bits(uint32_t bits) {
  return __uint_as_float(bits);
}
RSR_DEVICE uint32_t to_bits(float x) {
  return __float_as_uint(x);
}
RSR_DEVICE float from_f16(uint16_t bits) {
  return __half2float(__ushort_as_half(bits));
}
RSR_DEVICE float from_bf16(uint16_t bits) {
  return from_bits(static_cast<uint32_t>(bits) << 16);
}
RSR_DEVICE uint16_t to_f16(float x) {
  return __half_as_ushort(__float2half_rn(x));
}

}  // namespace rsr::cuda::simt

#else
#include "cuda/simt_host.h"
#endif

namespace rsr::cuda::simt {

/// How a kernel is launched: blocks, threads of a block, bytes of its shared memory.
struct Launch {
  int blocks_x = 1;
  int blocks_y = 1;
  int threads = kWarp;
  size_t shared_bytes = 0;
};

inline constexpr int ceil_div(int64_t n, int64_t by) {
  return static_cast<int>((n + by - 1) / by);
}

}  // namespace rsr::cuda::simt
