#include "cli/bench_model.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <utility>

#include "base/check.h"
#include "base/cpu.h"
#include "base/memory_use.h"
#include "cli/bench_matvec.h"
#include "cli/bench_model_device.h"
#include "cli/bench_model_gemm.h"
#include "cli/bench_model_subject.h"
#include "cli/bench_output.h"
#include "cli/limits.h"
#include "cli/timing.h"
#include "engine/head.h"
#include "model/synthetic.h"

namespace rsr::cli {
namespace {

using model::Model;

class ModelBench {
 public:
  ModelBench(const ModelBenchOptions& options, const ModelSubject& subject,
             model::Sequence sequence, ModelOnDevice* device)
      : options_(options),
        subject_(subject),
        context_(subject.context.impl()),
        model_(subject.model),
        device_(device),
        sequence_(std::move(sequence)),
        sampler_(engine::Sampling{}),
        peak_(base::peak_resident_bytes()) {
    if (device_ != nullptr) return;
    sequence_.scratch.stages = &timer_;
    other_bytes_ = read_.emplace(default_cold_bytes()).nbytes();
  }

  Result<ModelBenchRecord> prefill(int64_t tokens) {
    ModelBenchRecord record = describe(tokens);
    record.repeats = options_.prompt_repeats;
    if (device_ != nullptr) {
      RSR_RETURN_IF_ERROR(time(
          0, {tokens, 1, 1}, [] {}, &record));
      return record;
    }
    GemmTime gemm(context_, model_, tokens);
    other_bytes_ = read_->nbytes() + gemm.nbytes();
    RSR_RETURN_IF_ERROR(time(
        0, {tokens, 1, 1}, [&] { gemm.sample(); }, &record));
    record.gemm_seconds = gemm.seconds();
    other_bytes_ = read_->nbytes();
    return record;
  }

  Result<ModelBenchRecord> decode(int64_t context) {
    ModelBenchRecord record = describe(context);
    record.step = ModelStep::decode;
    record.repeats = options_.repeats;
    RSR_RETURN_IF_ERROR(time(
        context - 1, {1, 1}, [] {}, &record));
    const auto layers = static_cast<double>(
        device_ != nullptr ? device_->layer_bytes() : model_.weight_bytes() - model_.head.bytes());
    const int64_t position = model::KvCache::bytes_per_position(model_.config, kv_type(options_));
    record.bytes_per_token =
        layers + head_.mean_bytes(model_) + static_cast<double>(context * position);
    return record;
  }

  /// All guesses being right, and so every state sampled.
  Result<ModelBenchRecord> verify(int64_t context, int64_t guesses) {
    ModelBenchRecord record = describe(context);
    record.step = ModelStep::verify;
    record.guesses = guesses;
    record.repeats = options_.repeats;
    const int64_t most = subject_.positions() - 1 - guesses;
    RSR_RETURN_IF_ERROR(time(
        std::min(context - 1, most), {1 + guesses, 1 + guesses}, [] {}, &record));
    return record;
  }

  /// Random keys and values, read once: memory that has just been written is slow for a while on a
  /// virtual machine. A device is fast enough for those of tokens.
  Status fill_history(int64_t length) {
    if (device_ != nullptr) {
      std::vector<int32_t> tokens(static_cast<size_t>(length + 1));
      for (int32_t& token : tokens) token = next_token();
      return step(0, tokens, 1);
    }
    model::fill_history(context_, model_.config, &sequence_, length);
    const int32_t token = next_token();
    return step(length, {&token, 1}, 1);
  }

 private:
  ModelBenchRecord describe(int64_t length) const {
    ModelBenchRecord r;
    r.synthetic = !options_.shape.empty();
    r.shape = r.synthetic ? options_.shape : options_.model;
    r.context = length;
    r.load_seconds = subject_.load_seconds;
    r.kv = model::kv_type_name(kv_type(options_));
    r.cpu = base::cpu_name();
    if (device_ != nullptr) {
      r.device = device_->device().describe();
      r.format = device_->format();
      r.isa = "sm_" + std::to_string(device_->device().info().compute_capability);
      return r;
    }
    const model::Linear& linear = model_.layers.front().at(model::Projection::up);
    const std::string kernel = linear.explain_kernel(context_);
    r.format = kernel.substr(0, kernel.find(':'));
    r.threads = subject_.context.threads();
    r.isa = subject_.context.isa();
    return r;
  }

  struct Pass {
    int64_t tokens;
    int64_t choices;           // of next tokens, behind the last of them
    int together = kTogether;  // passes between measurements of what they are compared with
  };

  /// Times a pass after the first `start` tokens, again and again; now and then the bandwidth and
  /// what else is to be compared.
  template <class Other>
  Status time(int64_t start, const Pass& pass, const Other& other, ModelBenchRecord* record) {
    Status status;
    std::array<std::vector<double>, model::kStages> stages;
    std::vector<int32_t> tokens(static_cast<size_t>(pass.tokens));
    head_.restart();
    restart_bandwidth();
    const Timings timings = time_calls(
        record->repeats,
        [&] {
          Status s = sample_bandwidth();
          if (!s.ok()) status = std::move(s);
          other();
        },
        [&](int i) {
          for (int32_t& token : tokens) token = next_token();
          Status s = step(start, tokens, pass.choices);
          if (!s.ok()) status = std::move(s);
          for (size_t stage = 0; i > 0 && stage < stages.size(); ++stage) {
            stages[stage].push_back(timer_.seconds()[stage]);
          }
        },
        pass.together);
    RSR_RETURN_IF_ERROR(status);
    for (size_t stage = 0; stage < stages.size(); ++stage) {
      record->stage_seconds[stage] = median_of(std::move(stages[stage]));
    }
    record->median_seconds = timings.median();
    record->min_seconds = timings.least();
    record->max_seconds = timings.most();
    if (device_ != nullptr) record->copy_bytes_per_second = device_->bytes_per_second();
    if (device_ == nullptr) record->r4_bytes_per_second = limits_->read_bytes_per_second();
    record->head_scanned = head_.mean_candidates() > 0;
    record->head_candidates = head_.mean_candidates();
    // Buffers only grow, so what they are now is the most that they have been.
    peak_ = std::max(peak_, base::resident_bytes() - other_bytes_);
    record->peak_rss_bytes = peak_;
    return {};
  }

  /// What steps are held against.
  void restart_bandwidth() {
    if (device_ != nullptr) return device_->restart_bandwidth();
    limits_.emplace(context_.pool, context_.isa);
  }
  Status sample_bandwidth() {
    if (device_ != nullptr) return device_->sample_bandwidth();
    limits_->sample_reading(*read_);
    return {};
  }

  Status step(int64_t start, std::span<const int32_t> tokens, int64_t choices) {
    sequence_.length = start;
    timer_.start();
    const engine::HeadModel with = {context_, model_, model_.config.vocab_size, sequence_};
    RSR_RETURN_IF_ERROR(head_.read(with, tokens, choices, sampler_));
    for (int64_t i = 0; i < choices; ++i) {
      RSR_RETURN_IF_ERROR(head_.sample(with, i, sampler_).status());
    }
    return {};
  }

  /// Any tokens do; different ones, so that no row of the embedding is in a cache.
  int32_t next_token() {
    token_ = (token_ + 7919) % static_cast<int32_t>(model_.config.vocab_size);
    return token_;
  }

  const ModelBenchOptions& options_;
  const ModelSubject& subject_;
  Context::Impl& context_;
  const Model& model_;
  ModelOnDevice* device_;  // null: the CPU
  model::Sequence sequence_;
  model::StageTimer timer_;
  engine::Sampler sampler_;  // greedy
  engine::Head head_;
  int64_t peak_;                       // of loading, then of the model's own memory
  std::optional<ReadBandwidth> read_;  // of the CPU
  std::optional<Limits> limits_;       // of the CPU, of the last step
  int64_t other_bytes_ = 0;            // of this benchmark
  int32_t token_ = 0;
};

Result<std::vector<ModelBenchRecord>> measure(ModelBench& bench, const ModelSubject& subject) {
  const Progress progress(1 + subject.prompts.size() + subject.contexts.size() +
                          subject.guesses.size());
  std::vector<ModelBenchRecord> records;
  for (const int64_t tokens : subject.prompts) {
    progress.show(1 + records.size(), "a prompt of " + std::to_string(tokens) + " tokens");
    RSR_ASSIGN_OR_RETURN(ModelBenchRecord record, bench.prefill(tokens));
    records.push_back(std::move(record));
  }
  RSR_RETURN_IF_ERROR(bench.fill_history(longest(subject.contexts) - 1));
  for (const int64_t context : subject.contexts) {
    progress.show(1 + records.size(), "a token at context " + std::to_string(context));
    RSR_ASSIGN_OR_RETURN(ModelBenchRecord record, bench.decode(context));
    records.push_back(std::move(record));
  }
  for (const int64_t guesses : subject.guesses) {
    progress.show(1 + records.size(), "a token and " + std::to_string(guesses) + " guesses");
    RSR_ASSIGN_OR_RETURN(ModelBenchRecord record, bench.verify(subject.contexts.front(), guesses));
    records.push_back(std::move(record));
  }
  progress.clear();
  return records;
}

}  // namespace

Result<std::vector<ModelBenchRecord>> bench_model(const ModelBenchOptions& options,
                                                  const ModelSubject& subject,
                                                  ModelOnDevice* device) {
  // The host's cache is not used beside a device's.
  const int64_t positions = device != nullptr ? 1 : subject.positions();
  RSR_ASSIGN_OR_RETURN(model::KvCache cache,
                       model::KvCache::create(subject.model.config, positions, kv_type(options)));
  model::Sequence sequence(std::move(cache));
  if (device != nullptr) {
    RSR_ASSIGN_OR_RETURN(sequence.device, device->sequence(subject.positions(), kv_type(options)));
  }
  ModelBench bench(options, subject, std::move(sequence), device);
  return measure(bench, subject);
}

}  // namespace rsr::cli
