// The small operations between the matrix products, on one row (one token, one head) each.
//
// Every sum has one fixed order, so a result has the same bits for one token and for many, for any
// number of threads and on every instruction set: dot products and sums of squares keep 16 partial
// sums, by index modulo 16, and add them as a tree; compilers turn that into vector code as it is.
#pragma once

#include <cstdint>
#include <span>

namespace rsr::model {

/// Fewer multiply-adds than this are done before another thread has even started.
inline constexpr int64_t kWorkPerThread = 1 << 15;

/// Sum of a[i] * b[i].
float dot(const float* a, const float* b, int64_t n) noexcept;

/// y = x / sqrt(mean(x^2) + eps) * weight. y may be x.
void rms_norm(const float* x, std::span<const float> weight, float eps, float* y) noexcept;

/// y = max(gate, 0)^2 * up. y may be gate or up.
void relu2_gate(const float* gate, const float* up, int64_t n, float* y) noexcept;

/// y = gate / (1 + exp(-gate)) * up. y may be gate or up.
void silu_gate(const float* gate, const float* up, int64_t n, float* y) noexcept;

/// y += x.
void add(const float* x, int64_t n, float* y) noexcept;

}  // namespace rsr::model
