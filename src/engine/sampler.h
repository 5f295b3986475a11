// From logits to the next token.
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <span>
#include <vector>

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
/// defines, one number per token, and sums in double in a fixed order.
class Sampler {
 public:
  /// `sampling` was checked; `context` is every token before the first new one.
  explicit Sampler(const Sampling& sampling, std::span<const int32_t> context = {});

  /// The next token, remembered as generated. An error when a logit is NaN or plus infinity, or
  /// when none is finite: weights or cache are broken.
  Result<int32_t> sample(std::span<const float> logits);

  /// Which tokens decide the choice, for linear::find_candidates; nothing when all of them do: when
  /// sampling has neither a top-k nor a min-p that comes first.
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

  /// For a device that chooses in this object's place: what it needs to know but for rows and
  /// updates. Only where there is a need().
  cuda::HeadQuery query() const;
  /// The ids of which the score may change; some may be no token of the model.
  std::span<const int32_t> changed_ids() const { return penalties_.ids(); }
  cuda::HeadChange change_of(int32_t id) const { return penalties_.change_of(id); }
  /// Remembers a token that was chosen so, as if this object had chosen it.
  void accept(int32_t id);

 private:
  struct Candidate {
    double score;   // logit after penalties
    double weight;  // exp((score - top) / temperature); the best has weight 1
    int32_t id;
  };

  int32_t choose(std::span<const float> logits);
  int32_t draw_candidate();
  void weigh();
  void keep_top_k();
  void keep_top_p();
  void keep_min_p();
  int32_t draw();
  double next_number();

  Sampling sampling_;
  Penalties penalties_;
  std::mt19937_64 random_;
  double number_;               // of the next draw, [0, 1)
  std::vector<double> scores_;  // logits after penalties, of all tokens
  std::vector<Candidate> candidates_;
};

}  // namespace rsr::engine
