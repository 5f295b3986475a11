// What all kernels share: a range of work items, and an entry in the list of an operation.
#pragma once

#include <cstdint>

#include "base/cpu.h"

namespace rsr::kernels {

/// One kernel of an operation: its instruction set, its full name, its function.
template <class Function>
struct Kernel {
  base::Isa isa;
  const char* name;
  Function* function;
};

/// The best kernel of a list (best last) that runs where `isa` was chosen. Every list begins with a
/// reference kernel, so there always is one.
template <class Entry, int size>
constexpr const Entry& best_kernel(const Entry (&list)[size], base::Isa isa) {
  int best = 0;
  for (int i = 1; i < size; ++i) {
    if (base::isa_includes(isa, list[i].isa)) best = i;
  }
  return list[best];
}

}  // namespace rsr::kernels
