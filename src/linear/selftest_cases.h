// The parts of kernel_cases(). Results are compared by value: the sign of a zero is no
// kernel's promise, and a NaN equals nothing.
#pragma once

#include <algorithm>
#include <vector>

#include "linear/selftest.h"

namespace rsr::linear {

/// True when two arrays of one length hold the same values. For trials: allocates nothing.
template <class Array>
bool same_values(const Array& a, const Array& b) {
  return std::equal(a.data(), a.data() + a.size(), b.data());
}

/// Adds the kernels of RSR's indexes.
void add_rsr_cases(std::vector<SelftestCase>& cases);

/// Adds the kernels of tables, quantize, dense and scan.
void add_array_cases(std::vector<SelftestCase>& cases);

/// Adds the kernels of attention.
void add_attention_cases(std::vector<SelftestCase>& cases);

}  // namespace rsr::linear
