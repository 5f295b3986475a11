// For tests: a head on a device that is asked in the place of a sampler, and the sampler.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "cuda/test_device.h"
#include "engine/sampler.h"
#include "linear/head_scan_problem.h"
#include "model/device_head.h"

namespace rsr::engine {

inline constexpr int64_t kRows = 300;
inline constexpr int64_t kCols = 40;

class DeviceChoices : public cuda::OnDevices {
 protected:
  DeviceChoices() {
    table_.fill_normal(random_);
    for (auto& bits : table_.bits) bits = static_cast<uint16_t>(bits + (3U << 7));  // times 8
    for (int64_t r = 200; r < kRows; ++r) table_.copy_row(r - 200, r);              // equals
    const auto made = linear::make_head_scan_form(context_.impl(), table_.view);
    form_ = std::make_unique<model::DeviceHeadForm>(
        model::DeviceHeadForm::upload(stream, *made).value());
    bits_ = cuda::upload(stream, std::span<const uint16_t>(table_.bits)).value();
    cuda::Dense dense;
    dense.w = bits_.as<uint16_t>();
    dense.cols = kCols;
    dense.rows = kRows;
    head_ = model::DeviceHead::create(stream, form_.get(), dense).value();
  }

  /// What is asked of states [queries, kCols], done: by a scan, or by all logits.
  std::vector<std::optional<model::HeadChoice>> ask(const std::vector<float>& x,
                                                    const model::HeadQuestion& question,
                                                    bool scan) {
    const auto states = question.queries.size();
    std::vector<cuda::HeadQuery> queries(states);
    EXPECT_TRUE(head_->prepare(stream, question, queries.data()).ok());
    const auto asked_queries = array(queries);
    const auto state = array(x);
    const model::DeviceHead::Asked asked = {asked_queries.data(), static_cast<int32_t>(states),
                                            state.data()};
    if (scan) {
      EXPECT_TRUE(head_->scan(stream, asked).ok());
    } else {
      const auto logits = array(logits_of(x));
      const auto way = model::HeadWay::of(question, false);
      EXPECT_TRUE(head_->choose(stream, asked, logits.data(), way).ok());
    }
    EXPECT_TRUE(stream.wait().ok());
    std::vector<std::optional<model::HeadChoice>> choices;
    for (size_t s = 0; s < states; ++s) {
      choices.push_back(head_->answer(static_cast<int64_t>(s)));
      EXPECT_EQ(choices.back().has_value() && choices.back()->candidates > 0,
                scan && choices.back().has_value());
    }
    return choices;
  }

  /// [states, kRows]
  std::vector<float> logits_of(const std::vector<float>& x) {
    const auto states = static_cast<int64_t>(x.size()) / kCols;
    std::vector<float> logits(static_cast<size_t>(states * kRows));
    linear::multiply_dense(context_.impl(), table_.view, x.data(), states, logits.data());
    return logits;
  }

  /// One answer of `tokens`, by the sampler from all logits, and by the device, which is asked of
  /// several states at a time, of which all but the first are guessed. Every fifth token the device
  /// is passed over.
  void expect_same(const Sampling& sampling, int tokens, size_t states = 1) {
    for (const bool scan : {true, false}) {
      if (scan && !Sampler(sampling).need().has_value()) continue;
      const std::vector<int32_t> seen = {1, 2, 3, 99, 5000};
      all_.emplace(sampling, seen);
      other_.emplace(sampling, seen);
      updates_.clear();
      anew_ = true;
      for (const int32_t id : other_->changed_ids()) add_update(id);
      for (int i = 0; i < tokens; ++i) pass(states, i % 5 == 4, scan);
      if (HasFailure()) return;
    }
  }

  void add_update(int32_t id) {
    if (id < kRows) updates_.push_back({id, other_->change_of(id)});
  }

  void pass(size_t states, bool pass_over, bool scan) {
    const std::vector<float> x =
        linear::normal_vector(static_cast<int64_t>(states) * kCols, random_);
    const std::vector<float> logits = logits_of(x);
    std::vector<int32_t> wanted;
    Sampler guessing = *all_;  // guesses are right but for the last, which is as good as any
    for (size_t s = 0; s < states; ++s) {
      const auto of_state = std::span(logits).subspan(s * kRows, kRows);
      wanted.push_back(guessing.sample(of_state).value());
    }
    std::vector<std::optional<model::HeadChoice>> choices;
    if (!pass_over) {
      std::vector<cuda::HeadQuery> queries;
      other_->ask(std::span(wanted).first(states - 1), &queries);
      for (cuda::HeadQuery& query : queries) query.rows = kRows;
      choices = ask(x, {queries, anew_, updates_}, scan);
      anew_ = false;
      updates_.clear();
    }
    // Not all guesses stay.
    const size_t kept = pass_over ? 1 : 1 + random_() % states;
    for (size_t s = 0; s < kept; ++s) {
      const auto of_state = std::span(logits).subspan(s * kRows, kRows);
      ASSERT_EQ(all_->sample(of_state).value(), wanted[s]);
      if (pass_over) {
        ASSERT_EQ(other_->sample(of_state).value(), wanted[s]);
      } else {
        ASSERT_TRUE(choices[s].has_value());
        ASSERT_EQ(choices[s]->id, wanted[s]) << s << " of " << states << (scan ? " scan" : "");
        other_->accept(wanted[s]);
      }
      add_update(wanted[s]);
    }
  }

  Context context_ = Context::create({.threads = 1}).value();
  linear::Random random_{5};
  linear::Table table_{kRows, kCols};
  std::unique_ptr<model::DeviceHeadForm> form_;
  cuda::Memory bits_;
  std::unique_ptr<model::DeviceHead> head_;
  std::optional<Sampler> all_;
  std::optional<Sampler> other_;
  std::vector<cuda::HeadUpdate> updates_;
  bool anew_ = true;
};

}  // namespace rsr::engine
