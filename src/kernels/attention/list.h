// The kernels of attention as data: to select from, to test, to benchmark.
#pragma once

#include "kernels/attention/attention.h"
#include "kernels/kernel.h"

namespace rsr::kernels {

/// A kernel for one type of cache.
template <class Function>
struct KvKernel {
  base::Isa isa;
  KvType type;
  const char* name;
  Function* function;
};

inline constexpr KvKernel<AttendFunction> kAttend[] = {
#define ATTEND(type, isa) \
  {base::Isa::isa, KvType::type, "attend_" #type "_" #isa, attend_##type##_##isa},
#include "kernels/attention/kernels.inc"
};

inline constexpr Kernel<MergeStatesFunction> kMergeStates[] = {
#define MERGE_STATES(isa) {base::Isa::isa, "merge_states_f32_" #isa, merge_states_f32_##isa},
#include "kernels/attention/kernels.inc"
};

inline constexpr KvKernel<KvAppendFunction> kKvAppend[] = {
#define KV_APPEND(type, isa) \
  {base::Isa::isa, KvType::type, "kv_append_" #type "_" #isa, kv_append_##type##_##isa},
#include "kernels/attention/kernels.inc"
};

}  // namespace rsr::kernels
