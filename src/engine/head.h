// From the state of a token to the next token: by all logits, or by those that a scan leaves.
#pragma once

#include <cstdint>
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
  model::Sequence& sequence;
};

/// The head of one session. Tokens are read by read(), and chosen by sample() afterwards, each as
/// often as a state was kept. The engine's sessions take turns in either.
class Head {
 public:
  /// Most states of a read.
  static constexpr int64_t kMostStates = kernels::kScanMostBatch;

  /// One forward pass over `tokens`, at most a tile of them; choices are to be made of the last
  /// `states`.
  /// Errors: what a device reports.
  Status read(const HeadModel& with, std::span<const int32_t> tokens, int64_t states,
              const Sampler& sampler);
  /// The token after the one of state `index`; the sampler knows all tokens up to that one.
  Result<int32_t> sample(const HeadModel& with, int64_t index, Sampler& sampler);

  /// Forgets what was counted.
  void restart() { reads_ = scans_ = sampled_ = candidates_ = 0; }
  /// Rows that a scan left to be multiplied in full, the mean over tokens; 0 without one.
  double mean_candidates() const;
  /// Bytes of the head that a read takes, the mean.
  double mean_bytes(const model::Model& model) const;

 private:
  bool scan(const HeadModel& with, const Sampler& sampler);
  Status read_on_device(const HeadModel& with, std::span<const int32_t> tokens, int64_t states);

  linear::HeadScan scan_;
  std::span<const float> states_;  // [states, hidden]
  bool scanned_ = false;
  std::span<const float> logits_;  // [states, rows of the table], where nothing was scanned
  int64_t reads_ = 0;
  int64_t scans_ = 0;
  int64_t sampled_ = 0;  // from scans
  int64_t candidates_ = 0;
};

}  // namespace rsr::engine
