// For tests: heads of a cache, tokens that come to it, and what the CPU's reference makes of them.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "base/aligned.h"
#include "cuda/attention/attention.h"
#include "kernels/attention/problem.h"
#include "model/rope.h"

namespace rsr::cuda {

/// What a test is about.
struct AttentionShape {
  kernels::KvType type = kernels::KvType::f16;
  int dim = 16;
  int heads = 1;
  int group = 1;  // queries of a key head
  int batch = 1;
  int start = 0;  // positions in front of the batch
};

/// The floats of all tokens, and the cache of the CPU. append() and attend() take the place of the
/// operations.
class AttentionProblem {
 public:
  explicit AttentionProblem(const AttentionShape& of_shape) : shape(of_shape) {
    kv = layout();
    cache = base::AlignedArray<uint8_t>(static_cast<size_t>(shape.heads * kv.head_bytes));
    std::mt19937 random(static_cast<uint32_t>(shape.dim * 100 + shape.start));
    std::normal_distribution<float> normal;
    const auto fill = [&](std::vector<float>* rows, int64_t count) {
      rows->resize(static_cast<size_t>(count));
      for (float& v : *rows) v = normal(random);
    };
    fill(&queries, static_cast<int64_t>(shape.batch) * query_heads() * shape.dim);
    fill(&keys, static_cast<int64_t>(positions()) * shape.heads * shape.dim);
    fill(&values, static_cast<int64_t>(positions()) * shape.heads * shape.dim);
    const int half = shape.dim / 2;
    cosine.resize(static_cast<size_t>(positions()) * half);
    sine.resize(cosine.size());
    std::vector<double> frequencies(static_cast<size_t>(half));
    for (int i = 0; i < half; ++i) frequencies[i] = std::pow(10000.0, -2.0 * i / shape.dim);
    for (int p = 0; p < positions(); ++p) {
      model::rope_angles(p, frequencies, &cosine[p * half], &sine[p * half]);
    }
  }

  int query_heads() const { return shape.heads * shape.group; }
  int positions() const { return shape.start + shape.batch; }

  /// Keys and values of the positions [first, end), into the CPU's cache.
  void append(int first, int end) {
    auto* function = kernels::reference_of(kernels::kKvAppend, shape.type);
    for (int p = first; p < end; ++p) {
      for (int head = 0; head < shape.heads; ++head) {
        const int64_t at = (static_cast<int64_t>(p) * shape.heads + head) * shape.dim;
        std::vector<float> key(&keys[at], &keys[at] + shape.dim);
        model::rotate(cosine_of(p), sine_of(p), 1, key.data());
        const kernels::KvChunk all = chunk(head, 0, 1);
        function({key.data(), &values[at], shape.dim, kv.value_stride, p,
                  const_cast<void*>(all.keys), const_cast<void*>(all.values),
                  const_cast<float*>(all.key_scales), const_cast<float*>(all.value_scales)});
      }
    }
  }

  std::vector<float> turned_queries() const {
    std::vector<float> turned = queries;
    const int64_t row = static_cast<int64_t>(query_heads()) * shape.dim;
    for (int t = 0; t < shape.batch; ++t) {
      model::rotate(cosine_of(shape.start + t), sine_of(shape.start + t), query_heads(),
                    &turned[t * row]);
    }
    return turned;
  }

  /// Chunk by chunk, as model/attention.cc does it.
  std::vector<float> attend(const std::vector<float>& turned) const {
    std::vector<float> out(turned.size());
    for (int t = 0; t < shape.batch; ++t) {
      for (int head = 0; head < query_heads(); ++head) {
        const int64_t row = (static_cast<int64_t>(t) * query_heads() + head) * shape.dim;
        attend_row(head / shape.group, shape.start + t + 1, &turned[row], &out[row]);
      }
    }
    return out;
  }

  AttentionShape shape;
  KvHeads kv;
  base::AlignedArray<uint8_t> cache;
  std::vector<float> queries, keys, values, cosine, sine;

 private:
  KvHeads layout() const {
    const auto round_up = [](int64_t n, int64_t to) { return (n + to - 1) / to * to; };
    const int64_t bytes = kernels::kv_element_bytes(shape.type);
    const int64_t padded = round_up(positions(), kernels::kKvLanes);
    KvHeads heads;
    heads.type = shape.type;
    heads.heads = shape.heads;
    heads.dim = shape.dim;
    heads.value_stride = static_cast<int32_t>(round_up(shape.dim, kernels::kKvLanes));
    heads.values_at = round_up(padded * shape.dim * bytes, 64);
    // Exactly as many values as positions: what lies beyond must not be read.
    heads.key_scales_at = heads.values_at + round_up(positions() * heads.value_stride * bytes, 64);
    heads.value_scales_at = heads.key_scales_at + round_up(positions() * 4, 64);
    heads.head_bytes = heads.value_scales_at + round_up(positions() * 4, 64);
    return heads;
  }

  std::span<const float> cosine_of(int position) const { return angles(cosine, position); }
  std::span<const float> sine_of(int position) const { return angles(sine, position); }
  std::span<const float> angles(const std::vector<float>& of, int position) const {
    const auto half = static_cast<size_t>(shape.dim / 2);
    return std::span<const float>(of).subspan(static_cast<size_t>(position) * half, half);
  }

  kernels::KvChunk chunk(int head, int64_t first, int64_t count) const {
    const uint8_t* data = cache.data() + head * kv.head_bytes;
    const int64_t bytes = kernels::kv_element_bytes(shape.type);
    const bool scaled = shape.type == kernels::KvType::i8;
    const auto scales = [&](int64_t at) {
      return scaled ? reinterpret_cast<const float*>(data + at) + first : nullptr;
    };
    return {data + first * kv.dim * bytes,
            data + kv.values_at + first * kv.value_stride * bytes,
            scales(kv.key_scales_at),
            scales(kv.value_scales_at),
            count,
            kv.dim,
            kv.value_stride};
  }

  void attend_row(int head, int seen, const float* turned, float* out) const {
    const float scale = 1.0f / std::sqrt(static_cast<float>(shape.dim));
    std::vector<float> query(turned, turned + shape.dim);
    for (float& v : query) v *= scale;
    base::AlignedArray<float> state(static_cast<size_t>(kernels::kStateHead + kv.value_stride));
    std::fill_n(state.data(), state.size(), 0.0f);
    state[0] = -std::numeric_limits<float>::infinity();
    auto* function = kernels::reference_of(kernels::kAttend, shape.type);
    for (int64_t first = 0; first < seen; first += kernels::kChunk) {
      const int64_t count = std::min<int64_t>(kernels::kChunk, seen - first);
      function({chunk(head, first, count), query.data(), shape.dim, 1, state.data()});
    }
    for (int d = 0; d < shape.dim; ++d) out[d] = state[kernels::kStateHead + d] / state[1];
  }
};

}  // namespace rsr::cuda
