// A block per token and head: of queries, which are turned in place, of keys, which are turned on
// their way into the cache, and of values.
#include "cuda/attention/append.cuh"
#include "cuda/launch.h"

namespace rsr::cuda::RSR_SIMT {
namespace {

constexpr int kThreads = 128;

RSR_DEVICE void turn(float* x, const Angles& angles) {
  for (int i = simt::thread(); i < angles.half; i += simt::threads()) {
    const float low = turned(x, angles, i);
    const float high = turned(x, angles, i + angles.half);
    x[i] = low;
    x[i + angles.half] = high;
  }
}

/// block_x: heads of queries, then of keys, then of values; block_y: tokens.
RSR_KERNEL(kThreads) rope_append_heads(RopeAppend p) {
  auto& s = simt::shared<AppendShared>();
  simt::wait_for_previous();
  const int64_t token = simt::block_y();
  const int position = *p.start + simt::block_y();
  const int half = p.kv.dim / 2;
  const int64_t angle = static_cast<int64_t>(position) * half;
  const Angles angles = {p.cosine + angle, p.sine + angle, half};
  if (simt::block_x() < p.query_heads) {
    turn(p.queries + (token * p.query_heads + simt::block_x()) * p.kv.dim, angles);
    return;
  }
  const int of_both = simt::block_x() - p.query_heads;
  const int number = of_both % p.kv.heads;
  uint8_t* head = p.kv.data + number * p.kv.head_bytes;
  const int64_t row = (token * p.kv.heads + number) * p.kv.dim;
  if (of_both < p.kv.heads) {
    append_key(s, p.kv, head, p.keys + row, angles, position);
  } else {
    append_value(s, p.kv, head, p.values + row, position);
  }
}

}  // namespace

Status rope_append(int device, void* stream, const RopeAppend& p) {
  const simt::Launch how = {p.query_heads + 2 * p.kv.heads, p.batch, kThreads, sizeof(AppendShared)};
  return launch(device, stream, how, rope_append_heads, p);
}

}  // namespace rsr::cuda::RSR_SIMT
