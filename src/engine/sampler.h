// From logits to the next token.
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <span>
#include <vector>

#include "engine/candidates.h"
#include "engine/penalties.h"
#include "engine/sampling.h"
#include "linear/head_scan.h"
#include "rsr/status.h"

namespace rsr::engine {

/// Chooses the tokens of one answer. The order of the steps is that of GenerateOptions: penalties
/// and biases, then at temperature 0 the most likely token (the lowest id among equals), otherwise
/// temperature, top-k, top-p, min-p, and a draw among what they leave.
///
/// The choice is fixed by options, seed and logits: std::mt19937_64, whose numbers the C++ standard
/// defines, one number per token, and likelihoods as integers (base/token_weight.h), whose sums are
/// exact.
class Sampler {
 public:
  /// `sampling` was checked; `context` is every token before the first new one.
  explicit Sampler(const Sampling& sampling, std::span<const int32_t> context = {});

  /// The next token, remembered as generated. An error when a logit is NaN or plus infinity, or
  /// when none is finite: weights or cache are broken.
  Result<int32_t> sample(std::span<const float> logits);

  /// Which tokens decide the choice, for linear::find_candidates; nothing when all of them do: when
  /// sampling has neither a top-k, of 1,024 at most, nor a min-p that comes first.
  struct Need {
    int64_t best = 1;
    double window = 0;
  };
  std::optional<Need> need() const;
  /// What is done to scores before the choice; refers to this sampler.
  linear::ScoreChanges changes() const;

  /// The same token as from all logits; the candidates hold all tokens needed, their logits are
  /// finite.
  int32_t sample(const linear::HeadCandidates& candidates);

  /// For a device that chooses in this object's place: what it needs to know but for rows, of the
  /// state behind the tokens known, and of those behind each of `guesses`, at most
  /// kHeadMostStates - 1, if they come next.
  void ask(std::span<const int32_t> guesses, std::vector<cuda::HeadQuery>* queries) const;
  /// Whether any score changes, now or later.
  bool changes_scores() const { return !penalties_.none(); }
  /// The ids of which the score may change; some may be no token of the model.
  std::span<const int32_t> changed_ids() const { return penalties_.ids(); }
  cuda::HeadChange change_of(int32_t id) const { return penalties_.change_of(id); }
  /// Remembers a token that was chosen so, as if this object had chosen it.
  void accept(int32_t id);

 private:
  cuda::HeadQuery query() const;
  void add_guess(int32_t id, cuda::HeadQuery* query) const;
  int32_t choose(std::span<const float> logits);
  int32_t draw_candidate();

  Sampling sampling_;
  uint64_t top_p_;         // in units of 2^-64; 0 keeps all
  uint64_t least_weight_;  // that min-p keeps
  Penalties penalties_;
  std::mt19937_64 random_;
  uint64_t number_;            // of the next draw
  std::vector<float> scores_;  // logits after penalties, of all tokens
  Candidates candidates_;
};

}  // namespace rsr::engine
