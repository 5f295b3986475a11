#include "linear/rsr_product.h"

#include "segment/multiply.h"

namespace rsr::linear {
namespace {

using kernels::best_kernel;

template <class X, class Y, class List>
void run_groups(const List& list, const RsrWeight& weight, const Batch<X>& x, const Task& task,
                Y* y) {
  const segment::ColumnGroups& groups = weight.groups();
  base::AlignedArray<std::byte> scratch(segment::scratch_bytes(weight.form(), groups));
  kernels::MatvecGroups<X, Y> p;
  p.groups = &groups;
  p.form = static_cast<int>(weight.form());
  p.index_tile_begin = weight.index_tiles(task.segment).begin;
  p.index_tile_end = weight.index_tiles(task.segment).end;
  p.x = x.x + task.token * x.stride;
  p.x_stride = x.stride;
  p.batch = task.tokens;
  p.y = y;
  p.y_stride = weight.groups().rows;
  p.scratch = scratch.data();
  best_kernel(list, task.isa).function(p, task.blocks.begin, task.blocks.end);
}

/// From the binary matrix B to W = 2 B - 1. Twice a sum may wrap, the result never does.
int32_t sign_sum(int32_t binary_sum, int32_t x_sum) {
  return static_cast<int32_t>(2u * static_cast<uint32_t>(binary_sum) -
                              static_cast<uint32_t>(x_sum));
}
float sign_sum(float binary_sum, float x_sum) {
  return 2 * binary_sum - x_sum;
}

template <class Sum, class Y>
void to_signs(const RsrWeight& weight, const Task& task, const Sum& sum_of_token, Y* y) {
  const int64_t k = weight.groups().k;
  const int64_t end = std::min(task.blocks.end * k, weight.groups().rows);
  for (int64_t t = 0; t < task.tokens; ++t) {
    const Y sum = sum_of_token(task.token + t);
    for (int64_t r = task.blocks.begin * k; r < end; ++r) {
      Y& value = y[t * weight.groups().rows + r];
      value = sign_sum(value, sum);
    }
  }
}

/// The sum of a segment's columns of one token, in double: every thread gets the same bits.
float float_sum(const RsrWeight& weight, const Batch<float>& x, int64_t segment, int64_t token) {
  const base::Range columns = weight.layout().columns(segment);
  double sum = 0;
  for (int64_t c = columns.begin; c < columns.end; ++c) sum += x.x[token * x.stride + c];
  return static_cast<float>(sum);
}

}  // namespace

void compute(const RsrWeight& weight, const Batch<int8_t>& x, const Task& task, int32_t* y) {
  run_groups(kernels::kMatvecGroupsI8, weight, x, task, y);
  if (weight.signs()) {
    to_signs(
        weight, task, [&](int64_t t) { return x.sums[task.segment * x.batch + t]; }, y);
  }
}

void compute(const RsrWeight& weight, const Batch<float>& x, const Task& task, float* y) {
  run_groups(kernels::kMatvecGroupsF32, weight, x, task, y);
  if (weight.signs()) {
    to_signs(
        weight, task, [&](int64_t t) { return float_sum(weight, x, task.segment, t); }, y);
  }
}

}  // namespace rsr::linear
