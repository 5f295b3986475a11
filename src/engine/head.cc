#include "engine/head.h"

#include <mutex>

#include "base/check.h"

namespace rsr::engine {

Status add_head_scan(HeadMethod method, Context::Impl& context, model::Model* model) {
  const linear::Dense& head = model->head.view;
  const bool portable = context.kernels.scan->isa == base::Isa::reference;
  const bool pays = head.rows * head.cols >= linear::kWorthAScan && !portable;
  if (method == HeadMethod::full || (method == HeadMethod::automatic && !pays)) {
    model->head_scan.reset();  // a prepared model brings it along
    return {};
  }
  if (model->head_scan.has_value()) return {};
  model->head_scan = linear::make_head_scan_form(context, head);
  if (model->head_scan.has_value() || method == HeadMethod::automatic) return {};
  return base::error(ErrorCode::unsupported, "head: rows of ", head.cols,
                     " columns are too long for a scan");
}

Status Head::read(const HeadModel& with, std::span<const int32_t> tokens, int64_t states,
                  const Sampler& sampler) {
  RSR_CHECK(states >= 1 && states <= static_cast<int64_t>(tokens.size()));
  if (with.sequence.device != nullptr) return read_on_device(with, tokens, states);
  const std::lock_guard lock(with.context.mutex);
  const auto all = model::forward(with.context, with.model, with.sequence, tokens,
                                  model::LogitsOf::none_but_states);
  states_ = all.last(static_cast<size_t>(states * with.model.config.hidden_size));
  ++reads_;
  scanned_ = scan(with, sampler);
  if (scanned_) {
    ++scans_;
  } else {
    logits_ = model::full_head(with.context, with.model, with.sequence, states_);
  }
  with.sequence.scratch.lap(model::Stage::head);
  return {};
}

/// All logits, on the device.
Status Head::read_on_device(const HeadModel& with, std::span<const int32_t> tokens,
                            int64_t states) {
  model::Sequence& sequence = with.sequence;
  RSR_ASSIGN_OR_RETURN(logits_, sequence.device->forward(tokens, sequence.length, states));
  sequence.length += static_cast<int64_t>(tokens.size());
  ++reads_;
  scanned_ = false;
  return {};
}

bool Head::scan(const HeadModel& with, const Sampler& sampler) {
  const auto& form = with.model.head_scan;
  if (!form.has_value() || !sampler.need().has_value()) return false;
  const auto batch = static_cast<int64_t>(states_.size()) / with.model.config.hidden_size;
  return scan_.bound(with.context, *form, {states_.data(), batch, with.vocab});
}

Result<int32_t> Head::sample(const HeadModel& with, int64_t index, Sampler& sampler) {
  if (!scanned_) {
    const auto at = static_cast<size_t>(index * with.model.config.vocab_size);
    return sampler.sample(logits_.subspan(at, static_cast<size_t>(with.vocab)));
  }
  const std::lock_guard lock(with.context.mutex);
  const auto need = sampler.need();
  const linear::ScoreChanges changes = sampler.changes();
  const linear::HeadQuery query{.vector = index,
                                .best = need->best,
                                .window = need->window,
                                .changes = changes.change ? &changes : nullptr};
  const auto found = scan_.candidates(with.context, with.model.head.view, query);
  ++sampled_;
  candidates_ += static_cast<int64_t>(found.ids.size());
  with.sequence.scratch.lap(model::Stage::head);
  return sampler.sample(found);
}

double Head::mean_candidates() const {
  return sampled_ > 0 ? static_cast<double>(candidates_) / static_cast<double>(sampled_) : 0.0;
}

double Head::mean_bytes(const model::Model& model) const {
  const auto full = static_cast<double>(model.head.bytes());
  if (scans_ == 0) return full;
  const double row = full / static_cast<double>(model.head.view.rows);
  const double rows_per_scan = static_cast<double>(candidates_) / static_cast<double>(scans_);
  const double scanned = static_cast<double>(model.head_scan->bytes()) + rows_per_scan * row;
  const double share = static_cast<double>(scans_) / static_cast<double>(reads_);
  return share * scanned + (1 - share) * full;
}

}  // namespace rsr::engine
