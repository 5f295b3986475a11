// What becomes of a gate and its up: the steps of model/ops.cc, one rounding each.
#pragma once

#include "cuda/norm/activation.h"
#include "cuda/simt.h"

namespace rsr::cuda::RSR_SIMT {
namespace {

/// exp(x) of model/ops.cc: infinity above 88, exp(-87) below -87; a NaN stays one.
RSR_DEVICE float exp_of_gate(float x) {
  constexpr float kMagic = 12582912.0f;
  constexpr uint32_t kInfinity = 0x7F800000U;
  const float low = x < -87.0f ? -87.0f : x;
  const float clamped = low > 88.0f ? 88.0f : low;
  const float shifted = clamped * 1.44269504088896341f + kMagic;
  const float n = shifted - kMagic;
  const float r = (clamped - n * 0.693145751953125f) - n * 1.42860682030941723e-6f;
  float p = 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  const uint32_t bits = simt::to_bits(p) + (simt::to_bits(shifted) << 23);
  return simt::from_bits(x > 88.0f ? kInfinity : bits);
}

RSR_DEVICE float activate(GateActivation activation, float gate, float up) {
  if (activation == GateActivation::silu) {
    return simt::divide(gate, 1.0f + exp_of_gate(-gate)) * up;
  }
  const float positive = gate < 0.0f ? 0.0f : gate;  // NaN stays NaN, to be noticed
  return positive * positive * up;
}

}  // namespace
}  // namespace rsr::cuda::RSR_SIMT
