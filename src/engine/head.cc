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

void Head::read(const HeadModel& with, model::Sequence& sequence, std::span<const int32_t> tokens,
                const Sampler& sampler) {
  const std::lock_guard lock(with.context.mutex);
  const auto state =
      model::forward(with.context, with.model, sequence, tokens, model::LogitsOf::last_state);
  ++reads_;
  if (!scan(with, state, sampler)) {
    found_.reset();
    logits_ = model::full_head(with.context, with.model, sequence, state)
                  .first(static_cast<size_t>(with.vocab));
  }
  sequence.scratch.lap(model::Stage::head);
}

bool Head::scan(const HeadModel& with, std::span<const float> state, const Sampler& sampler) {
  const auto& form = with.model.head_scan;
  const auto need = sampler.need();
  if (!form.has_value() || !need.has_value()) return false;
  const linear::ScoreChanges changes = sampler.changes();
  const linear::HeadQuery query{.x = state.data(),
                                .rows = with.vocab,
                                .best = need->best,
                                .window = need->window,
                                .changes = changes.change ? &changes : nullptr};
  found_ = linear::find_candidates(with.context, with.model.head.view, *form, query, scratch_);
  if (!found_.has_value()) return false;
  ++scans_;
  candidates_ += static_cast<int64_t>(found_->ids.size());
  return true;
}

Result<int32_t> Head::sample(Sampler& sampler) const {
  if (found_.has_value()) return sampler.sample(*found_);
  return sampler.sample(logits_);
}

double Head::mean_candidates() const {
  return scans_ > 0 ? static_cast<double>(candidates_) / static_cast<double>(scans_) : 0.0;
}

double Head::mean_bytes(const model::Model& model) const {
  const auto full = static_cast<double>(model.head.bytes());
  if (scans_ == 0) return full;
  const double row = full / static_cast<double>(model.head.view.rows);
  const double scanned = static_cast<double>(model.head_scan->bytes()) + mean_candidates() * row;
  const double share = static_cast<double>(scans_) / static_cast<double>(reads_);
  return share * scanned + (1 - share) * full;
}

}  // namespace rsr::engine
