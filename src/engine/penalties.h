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
  /// A score after, in this order: repetition, bias, presence and frequency; one rounding to float
  /// at the end, a finite score staying finite. The higher the score, the higher (or equal) the
  /// result.
  float changed(int32_t id, float score) const;
  /// What changes the score of an id, for a device, which takes the same steps.
  cuda::HeadChange change_of(int32_t id) const;

 private:
  /// What is known of a token.
  struct Token {
    bool is_seen = false;  // in the context, or generated
    bool is_biased = false;
    float bias = 0.0f;
    int64_t generated = 0;  // how often
  };
  Token& token(int32_t id);
  void see(int32_t id);

  Sampling sampling_;
  std::vector<Token> tokens_;  // by id, up to the highest that matters
  std::vector<int32_t> ids_;   // seen or biased, each once
};

}  // namespace rsr::engine
