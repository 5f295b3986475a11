// From the state of a token to the next token: by all logits, or by those that a scan leaves.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "engine/sampler.h"
#include "linear/head_scan.h"
#include "model/forward.h"
#include "model/weights.h"
#include "rsr/engine.h"

namespace rsr::engine {

/// The scan form that `method` asks for, for this machine or a device, built on all threads; an
/// error where it cannot be had.
Status add_head_scan(HeadMethod method, bool on_device, Context::Impl& context,
                     model::Model* model);

/// What a head reads with. Rows of the model's table from `vocab` on are padding.
struct HeadModel {
  Context::Impl& context;
  const model::Model& model;
  int64_t vocab;
  model::Sequence& sequence;
};

/// The head of one session. A device has chosen the tokens before sample() asks for them. Tokens
/// are read by read(), and chosen by sample() afterwards, each as often as a state was kept. The
/// engine's sessions take turns in either.
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

  /// Whether a device has chosen the tokens of the latest read.
  bool chosen_by_device() const { return chosen_; }

  /// Forgets what was counted.
  void restart();
  /// Rows that a scan left to be multiplied in full, the mean over tokens; 0 without one.
  double mean_candidates() const;
  /// Bytes of the head that a read takes, the mean.
  double mean_bytes(const model::Model& model) const;

 private:
  bool scan(const HeadModel& with, const Sampler& sampler);
  Status read_on_device(const HeadModel& with, std::span<const int32_t> tokens, int64_t states,
                        const Sampler& sampler);
  bool may_scan(const HeadModel& with, const Sampler& sampler) const;
  Status choose_on_device(const HeadModel& with, std::span<const int32_t> tokens, int64_t states,
                          const Sampler& sampler);
  static bool all_chosen(const model::DeviceSequence& device, int64_t states);
  model::HeadQuestion question(const HeadModel& with, std::span<const int32_t> guesses,
                               const Sampler& sampler);
  Result<int32_t> sample_of_device(const HeadModel& with, int64_t index, Sampler& sampler);
  std::span<const float> logits_of(const HeadModel& with, int64_t index) const;

  linear::HeadScan scan_;
  std::span<const float> states_;  // [states, hidden]
  bool scanned_ = false;
  std::span<const float> logits_;  // [states, rows of the table], where nothing was scanned
  bool chosen_ = false;            // by a device
  int misses_ = 0;                 // how often in a row its scan could not tell
  // What the device does not know yet of the changes of scores: everything, or those of some ids.
  bool anew_ = true;
  std::vector<int32_t> unknown_;
  std::vector<cuda::HeadUpdate> updates_;  // on their way there, as are
  std::vector<cuda::HeadQuery> queries_;
  int64_t reads_ = 0;
  int64_t scans_ = 0;
  int64_t scan_bytes_ = 0;  // of each
  int64_t full_ = 0;        // reads that took all logits
  int64_t sampled_ = 0;     // from scans
  int64_t candidates_ = 0;
};

}  // namespace rsr::engine
