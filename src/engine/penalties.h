// What is done to logits before a token is chosen: penalties for tokens seen, and biases.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "engine/sampling.h"

namespace rsr::engine {

/// Remembers the tokens of one context and changes their scores.
class Penalties {
 public:
  /// `context` is every token before the first new one.
  Penalties(const Sampling& sampling, std::span<const int32_t> context);

  /// A token was generated.
  void add(int32_t id);

  /// True when apply() changes nothing, now and later.
  bool none() const;

  /// In this order: repetition, bias, presence, frequency.
  void apply(std::span<double> scores) const;

 private:
  void see(int32_t id);

  Sampling sampling_;
  std::vector<int32_t> seen_;                       // context and generated, each once
  std::unordered_map<int32_t, int64_t> generated_;  // how often
  std::vector<bool> is_seen_;                       // by id
};

}  // namespace rsr::engine
