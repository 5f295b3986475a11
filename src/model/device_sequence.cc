#include "model/device_sequence.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "model/forward.h"
#include "model/rope.h"

namespace rsr::model {
namespace {

using cuda::Memory;
using cuda::reserve_array;

// The states of attention take about so many bytes at most; passes over more tokens do without.
constexpr int64_t kMostStateBytes = int64_t{64} << 20;
constexpr int64_t kAngleStep = 512;  // positions whose angles are made together

int64_t round_up(int64_t n, int64_t to) {
  return (n + to - 1) / to * to;
}

int64_t element_bytes(KvType type) {
  constexpr int64_t kBytes[] = {4, 2, 1};
  return kBytes[static_cast<int>(type)];
}

/// How a head's cache lies in device memory: as the host's, part by part.
cuda::KvHeads head_layout(const ModelConfig& config, int64_t positions, KvType type) {
  constexpr int64_t kPart = 256;  // bytes of alignment
  const int64_t padded = round_up(positions, kernels::kKvLanes);
  cuda::KvHeads kv;
  kv.type = type;
  kv.heads = static_cast<int32_t>(config.num_kv_heads);
  kv.dim = static_cast<int32_t>(config.head_dim);
  kv.value_stride = static_cast<int32_t>(round_up(config.head_dim, kernels::kKvLanes));
  kv.values_at = round_up(padded * kv.dim * element_bytes(type), kPart);
  kv.key_scales_at = kv.values_at + round_up(padded * kv.value_stride * element_bytes(type), kPart);
  const int64_t scales = type == KvType::i8 ? round_up(padded * 4, kPart) : 0;
  kv.value_scales_at = kv.key_scales_at + scales;
  kv.head_bytes = kv.value_scales_at + scales;
  return kv;
}

int32_t chunks_for(int64_t positions) {
  return static_cast<int32_t>((positions + kernels::kChunk - 1) / kernels::kChunk);
}

/// Chunks that a graph provides for: a power of two, so that a growing context makes few graphs.
int32_t provided_chunks(int64_t positions) {
  int32_t provided = 1;
  while (provided < chunks_for(positions)) provided *= 2;
  return provided;
}

}  // namespace

DeviceSequence::DeviceSequence(std::shared_ptr<const DeviceModel> device, const Model& model,
                               cuda::Stream stream)
    : device_(std::move(device)), model_(model), stream_(std::move(stream)) {}

Result<std::unique_ptr<DeviceSequence>> DeviceSequence::create(
    std::shared_ptr<const DeviceModel> device, const Model& model, int64_t positions, KvType type) {
  RSR_ASSIGN_OR_RETURN(cuda::Stream stream, cuda::Stream::create(device->device));
  std::unique_ptr<DeviceSequence> made(
      new DeviceSequence(std::move(device), model, std::move(stream)));
  const Status status = made->reserve(positions, type);
  if (!status.ok()) {
    return status.with_context("a context of " + std::to_string(positions) + " tokens");
  }
  return made;
}

Status DeviceSequence::reserve(int64_t positions, KvType type) {
  const ModelConfig& c = model_.config;
  const cuda::Device& device = device_->device;
  positions_ = positions;
  kv_ = head_layout(c, positions, type);
  layer_bytes_ = kv_.head_bytes * c.num_kv_heads;
  RSR_RETURN_IF_ERROR(reserve_array<uint8_t>(device, layer_bytes_ * c.num_layers, &cache_));
  kv_.data = cache_.as<uint8_t>();
  RSR_RETURN_IF_ERROR(stream_.clear(cache_.data(), cache_.bytes()));  // blocks of 16 are read whole
  RSR_RETURN_IF_ERROR(reserve_array<float>(device, positions * c.head_dim / 2, &cosine_));
  RSR_RETURN_IF_ERROR(reserve_array<float>(device, positions * c.head_dim / 2, &sine_));
  const int64_t state = kernels::kStateHead + kv_.value_stride;
  const int64_t states = c.num_heads * provided_chunks(positions) * state;  // of a token
  tile_ = std::min(kTile, positions);
  state_tokens_ = std::clamp<int64_t>(
      kMostStateBytes / (states * static_cast<int64_t>(sizeof(float))), 1, tile_);
  const int64_t widest = std::max({c.hidden_size, c.q_dim(), c.intermediate_size});
  const std::pair<Memory*, int64_t> floats[] = {
      {&b_.hidden, c.hidden_size},     {&b_.normed, c.hidden_size},
      {&b_.queries, c.q_dim()},        {&b_.keys, c.kv_dim()},
      {&b_.values, c.kv_dim()},        {&b_.mixed, c.q_dim()},
      {&b_.gate, c.intermediate_size}, {&b_.up, c.intermediate_size},
      {&b_.linear_normed, widest},     {&b_.int8_scales, 1}};
  for (const auto& [memory, count] : floats) {
    RSR_RETURN_IF_ERROR(reserve_array<float>(device, tile_ * count, memory));
  }
  RSR_RETURN_IF_ERROR(reserve_array<float>(device, state_tokens_ * states, &b_.states));
  RSR_RETURN_IF_ERROR(reserve_array<int8_t>(device, tile_ * int8_stride(widest), &b_.int8));
  RSR_RETURN_IF_ERROR(reserve_array<int32_t>(device, tile_, &b_.int8_sums));
  RSR_RETURN_IF_ERROR(reserve_array<int32_t>(device, 2 * tile_ * c.num_heads, &b_.arrived));
  RSR_RETURN_IF_ERROR(stream_.clear(b_.arrived.data(), b_.arrived.bytes()));
  RSR_RETURN_IF_ERROR(reserve_control());
  return reserve_logits(std::min(DeviceHead::kMostStates, tile_));
}

Status DeviceSequence::reserve_control() {
  const cuda::Device& device = device_->device;
  queries_at_ = round_up((1 + tile_) * static_cast<int64_t>(sizeof(int32_t)), 64);
  const size_t bytes = control_bytes(DeviceHead::kMostStates);
  RSR_ASSIGN_OR_RETURN(b_.control, Memory::create(device, bytes));
  RSR_ASSIGN_OR_RETURN(control_, cuda::PinnedMemory::create(device, bytes));
  const auto& form = device_->head_scan;
  if (!DeviceHead::fits(model_.config.vocab_size)) return {};
  RSR_ASSIGN_OR_RETURN(head_, DeviceHead::create(stream_, form ? &*form : nullptr, head_table()));
  return {};
}

Status DeviceSequence::reserve_logits(int64_t states) {
  if (states <= logits_rows_) return {};
  graphs_.clear();  // they know the old places
  const int64_t vocab = model_.config.vocab_size;
  RSR_RETURN_IF_ERROR(
      reserve_array<float>(device_->device, std::min(states, tile_) * vocab, &b_.logits));
  RSR_ASSIGN_OR_RETURN(
      logits_, cuda::PinnedMemory::create(device_->device,
                                          static_cast<size_t>(states * vocab) * sizeof(float)));
  logits_rows_ = states;
  return {};
}

Status DeviceSequence::extend_angles(int64_t end) {
  if (end <= angles_) return {};
  const int64_t last = std::min(positions_, round_up(end, kAngleStep));
  const auto half = static_cast<size_t>(model_.config.head_dim / 2);
  std::vector<float> cosine(static_cast<size_t>(last - angles_) * half);
  std::vector<float> sine(cosine.size());
  for (int64_t position = angles_; position < last; ++position) {
    const size_t at = static_cast<size_t>(position - angles_) * half;
    rope_angles(position, model_.rope_frequencies, &cosine[at], &sine[at]);
  }
  const size_t offset = static_cast<size_t>(angles_) * half;
  const size_t bytes = cosine.size() * sizeof(float);
  RSR_RETURN_IF_ERROR(stream_.copy_to_device(cosine_.as<float>() + offset, cosine.data(), bytes));
  RSR_RETURN_IF_ERROR(stream_.copy_to_device(sine_.as<float>() + offset, sine.data(), bytes));
  RSR_RETURN_IF_ERROR(stream_.wait());
  angles_ = last;
  return {};
}

Result<std::span<const float>> DeviceSequence::forward(std::span<const int32_t> tokens,
                                                       int64_t start, int64_t states) {
  RSR_CHECK(states >= 0 && states <= static_cast<int64_t>(tokens.size()));
  RSR_RETURN_IF_ERROR(reserve_logits(states));
  RSR_RETURN_IF_ERROR(read(tokens, start, states, std::nullopt));
  return std::span<const float>(logits_.as<float>(),
                                static_cast<size_t>(states * model_.config.vocab_size));
}

Status DeviceSequence::read(std::span<const int32_t> tokens, int64_t start, int64_t states,
                            const std::optional<HeadWay>& way) {
  const auto count = static_cast<int64_t>(tokens.size());
  RSR_CHECK(count >= 1 && start >= 0 && start + count <= positions_);
  RSR_RETURN_IF_ERROR(extend_angles(start + count));
  const int64_t unwanted = count - states;  // tokens in front without logits
  for (int64_t begin = 0; begin < count;) {
    const int64_t batch = std::min(tile_, count - begin);
    const int64_t end = begin + batch;
    const int64_t of_tile = std::clamp<int64_t>(end - unwanted, 0, batch);
    Tile tile;
    tile.states = of_tile;
    tile.row = of_tile > 0 ? end - of_tile - unwanted : 0;
    tile.way = way;
    RSR_RETURN_IF_ERROR(
        run_tile(tokens.subspan(static_cast<size_t>(begin), static_cast<size_t>(batch)),
                 start + begin, tile));
    begin = end;
  }
  return {};
}

Status DeviceSequence::run_tile(std::span<const int32_t> tokens, int64_t start, Tile tile) {
  auto* control = control_.as<int32_t>();
  control[0] = static_cast<int32_t>(start);
  std::copy(tokens.begin(), tokens.end(), control + 1);
  tile.batch = static_cast<int32_t>(tokens.size());
  const int64_t end = start + tile.batch;
  const bool in_graph =
      tile.batch <= DeviceHead::kMostStates && tile.states == tile.batch && tile.row == 0;
  tile.chunks = in_graph ? provided_chunks(end) : chunks_for(end);
  last_ = tile;
  return finish(in_graph ? ask_in_graph(tile) : ask(tile));
}

Status DeviceSequence::ask_in_graph(const Tile& tile) {
  const auto [found, is_new] = graphs_.try_emplace({tile.batch, tile.chunks, tile.way});
  if (is_new) {  // loads the kernels, which not every driver can do during a capture
    Status status = ask(tile);
    if (!status.ok()) graphs_.erase(found);
    return status;
  }
  cuda::Graph& graph = found->second;
  if (graph.empty()) {
    RSR_ASSIGN_OR_RETURN(graph, stream_.capture([&] { return ask(tile); }));
  }
  return stream_.launch(graph);
}

Status DeviceSequence::finish(const Status& asked) {
  Status done = stream_.wait();
  if (asked.ok() && done.ok()) return {};
  if (head_ != nullptr) head_->expect_remains();
  return asked.ok() ? done : asked;
}

/// What changes from launch to launch of a graph.
Status DeviceSequence::copy_control(const Tile& tile) {
  const size_t ids = static_cast<size_t>(1 + tile.batch) * sizeof(int32_t);
  const bool choice = tile.way.has_value() && tile.states > 0;
  return stream_.copy_to_device(b_.control.data(), control_.as<std::byte>(),
                                choice ? control_bytes(tile.states) : ids);
}

}  // namespace rsr::model
