// The end of a pass on a device: from states to logits, or to tokens.
#include <cstddef>

#include "base/check.h"
#include "model/device_sequence.h"

namespace rsr::model {

using cuda::Operations;

cuda::Dense DeviceSequence::head_table() const {
  cuda::Dense table;
  table.w = device_->head.rows;
  table.is_f16 = device_->head.is_f16;
  table.rows = static_cast<int32_t>(model_.config.vocab_size);
  table.cols = static_cast<int32_t>(model_.config.hidden_size);
  return table;
}

Status DeviceSequence::multiply_head(const Tile& tile) {
  cuda::Dense dense = head_table();
  dense.x = b_.normed.as<float>() + (tile.batch - tile.states) * dense.cols;
  dense.batch = static_cast<int32_t>(tile.states);
  dense.y = b_.logits.as<float>();
  dense.stride = dense.rows;
  return stream_.run(&Operations::dense, dense);
}

Status DeviceSequence::copy_logits(const Tile& tile) {
  const int64_t vocab = model_.config.vocab_size;
  return stream_.copy_to_host(logits_.as<float>() + tile.row * vocab, b_.logits.data(),
                              static_cast<size_t>(tile.states * vocab) * sizeof(float));
}

Status DeviceSequence::choose_tokens(const Tile& tile) {
  DeviceHead::Asked asked;
  asked.queries =
      reinterpret_cast<const cuda::HeadQuery*>(b_.control.as<std::byte>() + queries_at_);
  asked.states = static_cast<int32_t>(tile.states);
  asked.x = b_.normed.as<float>() + (tile.batch - tile.states) * model_.config.hidden_size;
  if (tile.way->scan) return head_->scan(stream_, asked);
  RSR_RETURN_IF_ERROR(multiply_head(tile));
  return head_->choose(stream_, asked, b_.logits.as<float>(), *tile.way);
}

bool DeviceSequence::can_choose(int64_t tokens, int64_t states) const {
  return head_ != nullptr && states <= DeviceHead::kMostStates && (states == 1 || tokens <= tile_);
}

Status DeviceSequence::choose(std::span<const int32_t> tokens, int64_t start,
                              const HeadQuestion& question, bool scan) {
  const auto states = static_cast<int64_t>(question.queries.size());
  RSR_CHECK(can_choose(static_cast<int64_t>(tokens.size()), states) && (!scan || can_scan()));
  auto* queries = reinterpret_cast<cuda::HeadQuery*>(control_.as<std::byte>() + queries_at_);
  RSR_RETURN_IF_ERROR(head_->prepare(stream_, question, queries));
  choice_of_logits_ = HeadWay::of(question, false);
  return read(tokens, start, states, HeadWay::of(question, scan));
}

Status DeviceSequence::choose_by_logits() {
  Tile tile = last_;
  tile.way = choice_of_logits_;
  return finish(choose_tokens(tile));
}

Result<std::span<const float>> DeviceSequence::logits_after_choice() {
  RSR_RETURN_IF_ERROR(multiply_head(last_));
  RSR_RETURN_IF_ERROR(copy_logits(last_));
  RSR_RETURN_IF_ERROR(stream_.wait());
  return std::span<const float>(logits_.as<float>(),
                                static_cast<size_t>(last_.states * model_.config.vocab_size));
}

}  // namespace rsr::model
