// What is done to logits before a token is chosen: penalties for tokens seen, and biases.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cuda/head/head.h"
#include "engine/sampling.h"

namespace rsr::engine {

/// Remembers the tokens of one context, if they matter, and changes their scores.
class Penalties {
 public:
  /// `context` is every token before the first new one.
  Penalties(const Sampling& sampling, std::span<const int32_t> context);

  /// A token was generated.
  void add(int32_t id);

  /// True when nothing is changed, now and later.
  bool none() const;

  /// Changes the scores of all tokens, by id.
  void apply(std::span<float> scores) const;

  /// The ids of which the score may change; some may be no token of the model.
  std::span<const int32_t> ids() const { return ids_; }
  /// A score after its changes: cuda::changed(), which a device takes, too.
  float changed(int32_t id, float score) const {
    return cuda::changed(penalties_, change_of(id), score);
  }
  const cuda::HeadPenalties& of_scores() const { return penalties_; }
  /// What is known of an id.
  cuda::HeadChange change_of(int32_t id) const;

 private:
  cuda::HeadChange& token(int32_t id);
  void see(int32_t id);

  cuda::HeadPenalties penalties_;
  bool has_biases_;
  std::vector<cuda::HeadChange> tokens_;  // by id, up to the highest that matters
  std::vector<int32_t> ids_;              // seen or biased, each once
};

}  // namespace rsr::engine
