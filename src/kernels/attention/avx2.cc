#include "kernels/attention/floats256.h"
// The lanes come first: what follows is written over them.
#include "kernels/attention/blocks_append.h"
#include "kernels/attention/blocks_attend.h"

namespace rsr::kernels {

void attend_f32_avx2(const Attend& p) noexcept {
  attend_all<float>(p);
}
void attend_f16_avx2(const Attend& p) noexcept {
  attend_all<uint16_t>(p);
}
void attend_i8_avx2(const Attend& p) noexcept {
  attend_all<int8_t>(p);
}

void merge_states_f32_avx2(const MergeStates& p) noexcept {
  merge_all(p);
}

void kv_append_f32_avx2(const KvAppend& p) noexcept {
  append<float>(p);
}
void kv_append_f16_avx2(const KvAppend& p) noexcept {
  append<uint16_t>(p);
}
void kv_append_i8_avx2(const KvAppend& p) noexcept {
  append<int8_t>(p);
}

}  // namespace rsr::kernels
