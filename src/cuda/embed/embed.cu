#include "cuda/launch.h"

namespace rsr::cuda::RSR_SIMT {
namespace {

constexpr int kThreads = 256;

/// A thread per element: a batch of one has ten blocks to hide its one trip to memory.
template <bool is_f16>
RSR_KERNEL(kThreads)
embed_rows(Embed p) {
  simt::wait_for_previous();
  const int c = simt::block_x() * kThreads + simt::thread();
  if (c >= p.cols) return;
  const int64_t row = p.tokens[simt::block_y()];
  const uint16_t bits = p.table[row * p.cols + c];
  const float value = is_f16 ? simt::from_f16(bits) : simt::from_bf16(bits);
  p.y[static_cast<int64_t>(simt::block_y()) * p.cols + c] = value;
}

}  // namespace

Status embed(int device, void* stream, const Embed& p) {
  const simt::Launch how = {simt::ceil_div(p.cols, kThreads), p.batch, kThreads, 0};
  return launch(device, stream, how, p.is_f16 ? embed_rows<true> : embed_rows<false>, p);
}

}  // namespace rsr::cuda::RSR_SIMT
