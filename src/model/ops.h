// The small operations between the matrix products, on one row (one token, one head) each.
//
// Every sum has one fixed order, so a result has the same bits for one token and for many, for any
// number of threads and on every instruction set; compilers turn that into vector code as it is.
#pragma once

#include <cstdint>
#include <span>

namespace rsr::model {

/// Fewer multiply-adds than this are done before another thread has even started.
inline constexpr int64_t kWorkPerThread = 1 << 15;

/// Partial sums of a sum of squares, by index modulo their number; as many as a block on a GPU has
/// threads, since additions that wait for each other are what a norm takes there.
inline constexpr int kSquareSums = 1024;

/// Sum of x[i]^2: partial sums i and i + 512 are added, then i and i + 256, ..., i and i + 1.
float sum_of_squares(const float* x, int64_t n) noexcept;

/// y = x / sqrt(mean(x^2) + eps) * weight. y may be x.
void rms_norm(const float* x, std::span<const float> weight, float eps, float* y) noexcept;

/// y = max(gate, 0)^2 * up. y may be gate or up.
void relu2_gate(const float* gate, const float* up, int64_t n, float* y) noexcept;

/// y = gate / (1 + exp(-gate)) * up. y may be gate or up.
void silu_gate(const float* gate, const float* up, int64_t n, float* y) noexcept;

/// y += x.
void add(const float* x, int64_t n, float* y) noexcept;

}  // namespace rsr::model
