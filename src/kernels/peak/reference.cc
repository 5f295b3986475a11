#include "kernels/peak/peak.h"

namespace rsr::kernels {

void peak_i8_reference(PeakI8& p) noexcept {
  uint32_t lanes[kPeakChains] = {};  // unsigned: wraps as the vector lanes do
  for (int64_t i = 0; i < p.rounds; ++i) {
    for (uint32_t& lane : lanes) {
      const auto dot = static_cast<uint32_t>(4 * p.a * p.b);
      lane += dot;
    }
  }
  p.lane = static_cast<int32_t>(lanes[0]);
  p.multiply_adds = p.rounds * kPeakChains * 4;
}

void peak_f32_reference(PeakF32& p) noexcept {
  float lanes[kPeakChains] = {};
  for (int64_t i = 0; i < p.rounds; ++i) {
    for (float& lane : lanes) lane += p.a * p.b;
  }
  p.lane = lanes[0];
  p.multiply_adds = p.rounds * kPeakChains;
}

}  // namespace rsr::kernels
