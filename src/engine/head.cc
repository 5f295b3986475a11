#include "engine/head.h"

#include <mutex>
#include <utility>

#include "base/check.h"

namespace rsr::engine {

Status add_head_scan(HeadMethod method, bool on_device, Context::Impl& context,
                     model::Model* model) {
  const linear::Dense& head = model->head.view;
  const bool portable = !on_device && context.kernels.scan->isa == base::Isa::reference;
  const bool fits = !on_device || model::DeviceHeadForm::fits(head.rows);
  const bool pays = fits && head.rows * head.cols >= linear::kWorthAScan && !portable;
  if (method == HeadMethod::full || (method == HeadMethod::automatic && !pays)) {
    model->head_scan.reset();  // a prepared model brings it along
    return {};
  }
  if (!fits) {
    return base::error(ErrorCode::unsupported, "head: ", head.rows,
                       " rows are too many for a scan on a device");
  }
  if (model->head_scan.has_value()) return {};
  model->head_scan = linear::make_head_scan_form(context, head);
  if (model->head_scan.has_value() || method == HeadMethod::automatic) return {};
  return base::error(ErrorCode::unsupported, "head: rows of ", head.cols,
                     " columns are too long for a scan");
}

void Head::restart() {
  reads_ = scans_ = scan_bytes_ = full_ = sampled_ = candidates_ = 0;
  misses_ = 0;
  anew_ = true;
  unknown_.clear();
}

Status Head::read(const HeadModel& with, std::span<const int32_t> tokens, int64_t states,
                  const Sampler& sampler) {
  RSR_CHECK(states >= 1 && states <= static_cast<int64_t>(tokens.size()));
  if (with.sequence.device != nullptr) return read_on_device(with, tokens, states, sampler);
  const std::lock_guard lock(with.context.mutex);
  const auto all = model::forward(with.context, with.model, with.sequence, tokens,
                                  model::LogitsOf::none_but_states);
  states_ = all.last(static_cast<size_t>(states * with.model.config.hidden_size));
  ++reads_;
  scanned_ = scan(with, sampler);
  if (scanned_) {
    ++scans_;
    scan_bytes_ = with.model.head_scan->bytes();
  } else {
    ++full_;
    logits_ = model::full_head(with.context, with.model, with.sequence, states_);
  }
  with.sequence.scratch.lap(model::Stage::head);
  return {};
}

Status Head::read_on_device(const HeadModel& with, std::span<const int32_t> tokens, int64_t states,
                            const Sampler& sampler) {
  model::Sequence& sequence = with.sequence;
  scanned_ = chosen_ = false;
  if (sequence.device->can_choose(static_cast<int64_t>(tokens.size()), states)) {
    RSR_RETURN_IF_ERROR(choose_on_device(with, tokens, states, sampler));
  } else {
    RSR_ASSIGN_OR_RETURN(logits_, sequence.device->forward(tokens, sequence.length, states));
    ++full_;
  }
  sequence.length += static_cast<int64_t>(tokens.size());
  ++reads_;
  return {};
}

/// A sampling that leaves too many candidates does so token after token: an answer that has missed
/// a few in a row scans no more.
bool Head::may_scan(const HeadModel& with, const Sampler& sampler) const {
  constexpr int kMostMisses = 4;
  return with.sequence.device->can_scan() && sampler.need().has_value() && misses_ < kMostMisses;
}

Status Head::choose_on_device(const HeadModel& with, std::span<const int32_t> tokens,
                              int64_t states, const Sampler& sampler) {
  model::DeviceSequence& device = *with.sequence.device;
  const model::HeadQuestion asked =
      question(with, tokens.last(static_cast<size_t>(states - 1)), sampler);
  scanned_ = may_scan(with, sampler);
  RSR_RETURN_IF_ERROR(device.choose(tokens, with.sequence.length, asked, scanned_));
  chosen_ = all_chosen(device, states);
  if (scanned_) {
    ++scans_;
    scan_bytes_ = device.scan_bytes();
    misses_ = chosen_ ? 0 : misses_ + 1;
    if (chosen_) return {};
    scanned_ = false;
    RSR_RETURN_IF_ERROR(device.choose_by_logits());
    chosen_ = all_chosen(device, states);
  }
  ++full_;
  if (chosen_) return {};
  RSR_ASSIGN_OR_RETURN(logits_, device.logits_after_choice());  // for the sampler to say why
  return {};
}

bool Head::all_chosen(const model::DeviceSequence& device, int64_t states) {
  for (int64_t state = 0; state < states; ++state) {
    if (!device.choice(state).has_value()) return false;
  }
  return true;
}

model::HeadQuestion Head::question(const HeadModel& with, std::span<const int32_t> guesses,
                                   const Sampler& sampler) {
  sampler.ask(guesses, &queries_);
  for (cuda::HeadQuery& query : queries_) query.rows = static_cast<int32_t>(with.vocab);
  updates_.clear();
  if (sampler.changes_scores()) {
    for (const int32_t id : anew_ ? sampler.changed_ids() : std::span<const int32_t>(unknown_)) {
      if (id < with.vocab) updates_.push_back({id, sampler.change_of(id)});
    }
  }
  const bool anew = std::exchange(anew_, false);
  unknown_.clear();
  return {queries_, anew, updates_};
}

bool Head::scan(const HeadModel& with, const Sampler& sampler) {
  const auto& form = with.model.head_scan;
  if (!form.has_value() || !sampler.need().has_value()) return false;
  const auto batch = static_cast<int64_t>(states_.size()) / with.model.config.hidden_size;
  return scan_.bound(with.context, *form, {states_.data(), batch, with.vocab});
}

Result<int32_t> Head::sample(const HeadModel& with, int64_t index, Sampler& sampler) {
  if (with.sequence.device != nullptr) {
    RSR_ASSIGN_OR_RETURN(const int32_t id, sample_of_device(with, index, sampler));
    if (sampler.changes_scores()) unknown_.push_back(id);
    return id;
  }
  if (!scanned_) return sampler.sample(logits_of(with, index));
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

Result<int32_t> Head::sample_of_device(const HeadModel& with, int64_t index, Sampler& sampler) {
  if (!chosen_) return sampler.sample(logits_of(with, index));
  const model::HeadChoice choice = with.sequence.device->choice(index).value();
  sampler.accept(choice.id);
  if (scanned_) {
    ++sampled_;
    candidates_ += choice.candidates;
  }
  return choice.id;
}

std::span<const float> Head::logits_of(const HeadModel& with, int64_t index) const {
  const auto at = static_cast<size_t>(index * with.model.config.vocab_size);
  return logits_.subspan(at, static_cast<size_t>(with.vocab));
}

double Head::mean_candidates() const {
  return sampled_ > 0 ? static_cast<double>(candidates_) / static_cast<double>(sampled_) : 0.0;
}

double Head::mean_bytes(const model::Model& model) const {
  const auto full = static_cast<double>(model.head.bytes());
  if (scans_ == 0) return full;
  const double row = full / static_cast<double>(model.head.view.rows);
  const double all = static_cast<double>(scans_) * static_cast<double>(scan_bytes_) +
                     static_cast<double>(candidates_) * row + static_cast<double>(full_) * full;
  return all / static_cast<double>(reads_);
}

}  // namespace rsr::engine
