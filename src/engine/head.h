// From the state of a token to the next token: by all logits, or by those that a scan leaves.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "engine/sampler.h"
#include "linear/head_scan.h"
#include "model/forward.h"
#include "model/weights.h"
#include "rsr/engine.h"

namespace rsr::engine {

/// The scan form that `method` asks for, built on all threads; an error where it cannot be had.
Status add_head_scan(HeadMethod method, Context::Impl& context, model::Model* model);

/// What a head reads with. Rows of the model's table from `vocab` on are padding.
struct HeadModel {
  Context::Impl& context;
  const model::Model& model;
  int64_t vocab;
};

/// The head of one session. A token is read by read(), and chosen by sample() afterwards.
class Head {
 public:
  /// One forward pass over `tokens`, and what the sampler needs of the last one's logits. The
  /// engine's sessions take turns.
  void read(const HeadModel& with, model::Sequence& sequence, std::span<const int32_t> tokens,
            const Sampler& sampler);
  Result<int32_t> sample(Sampler& sampler) const;

  /// Forgets what was counted.
  void restart() { reads_ = scans_ = candidates_ = 0; }
  /// Rows that a scan left to be multiplied in full, the mean; 0 without one.
  double mean_candidates() const;
  /// Bytes of the head that a read takes, the mean.
  double mean_bytes(const model::Model& model) const;

 private:
  bool scan(const HeadModel& with, std::span<const float> state, const Sampler& sampler);

  linear::HeadScanScratch scratch_;
  std::optional<linear::HeadCandidates> found_;
  std::span<const float> logits_;  // of all tokens, where nothing was found
  int64_t reads_ = 0;
  int64_t scans_ = 0;
  int64_t candidates_ = 0;
};

}  // namespace rsr::engine
