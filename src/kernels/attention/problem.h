// Random heads and queries, for tests and the self-test.
#pragma once

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "base/aligned.h"
#include "kernels/attention/list.h"

namespace rsr::kernels {

inline constexpr KvType kKvTypes[] = {KvType::f32, KvType::f16, KvType::i8};

inline int64_t kv_element_bytes(KvType type) {
  return type == KvType::f32 ? 4 : type == KvType::f16 ? 2 : 1;
}

/// The first kernel of a list for a type: the reference.
template <class List>
auto* reference_of(const List& list, KvType type) {
  for (const auto& kernel : list) {
    if (kernel.type == type) return kernel.function;
  }
  return list[0].function;
}

/// One head of some positions in the cache's type, its floats, and queries.
class AttentionProblem {
 public:
  AttentionProblem(KvType of_type, int64_t head_dim, int64_t seen, int64_t query_count,
                   KvAppendFunction* append = nullptr)
      : type(of_type),
        dim(head_dim),
        positions(seen),
        count(query_count),
        value_stride((dim + kKvLanes - 1) / kKvLanes * kKvLanes),
        keys(static_cast<size_t>(padded() * dim * kv_element_bytes(type))),
        values(static_cast<size_t>(padded() * value_stride * kv_element_bytes(type))),
        key_scales(static_cast<size_t>(padded())),
        value_scales(static_cast<size_t>(padded())) {
    std::mt19937 random(static_cast<uint32_t>(dim * 1000 + positions));
    std::normal_distribution<float> normal;
    for (auto* list : {&key_rows, &value_rows, &queries}) {
      list->resize(static_cast<size_t>((list == &queries ? count : positions) * dim));
      for (float& v : *list) v = normal(random);
    }
    for (float& v : queries) v /= std::sqrt(static_cast<float>(dim));
    if (append == nullptr) append = reference_of(kKvAppend, type);
    for (int64_t p = 0; p < positions; ++p) append(params_of(p));
  }

  KvAppend params_of(int64_t position) {
    const bool scaled = type == KvType::i8;
    return {key_rows.data() + position * dim,
            value_rows.data() + position * dim,
            dim,
            value_stride,
            position,
            keys.data(),
            values.data(),
            scaled ? key_scales.data() : nullptr,
            scaled ? value_scales.data() : nullptr};
  }

  /// Positions [first, first + visible) for all queries.
  Attend params(int64_t first, int64_t visible, float* states) const {
    const int64_t bytes = kv_element_bytes(type);
    const bool scaled = type == KvType::i8;
    KvChunk chunk{keys.data() + first * dim * bytes,
                  values.data() + first * value_stride * bytes,
                  scaled ? key_scales.data() + first : nullptr,
                  scaled ? value_scales.data() + first : nullptr,
                  visible,
                  dim,
                  value_stride};
    return {chunk, queries.data(), dim, count, states};
  }

  int64_t state_floats() const { return count * (kStateHead + value_stride); }
  void clear(float* states) const {
    for (int64_t i = 0; i < state_floats(); ++i) states[i] = 0;
    for (int64_t q = 0; q < count; ++q) {
      states[q * (kStateHead + value_stride)] = -std::numeric_limits<float>::infinity();
    }
  }
  int64_t padded() const { return (positions + kKvLanes - 1) / kKvLanes * kKvLanes; }

  KvType type;
  int64_t dim, positions, count, value_stride;
  base::AlignedArray<uint8_t> keys, values;
  base::AlignedArray<float> key_scales, value_scales;
  std::vector<float> key_rows, value_rows, queries;
};

}  // namespace rsr::kernels
