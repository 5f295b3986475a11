#include "model/device_head.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace rsr::model {

using cuda::Memory;
using cuda::Operations;

Result<DeviceHeadForm> DeviceHeadForm::upload(cuda::Stream& stream,
                                              const linear::HeadScanForm& form) {
  RSR_CHECK(fits(form.rows));
  DeviceHeadForm made;
  made.rows = static_cast<int32_t>(form.rows);
  made.cols = static_cast<int32_t>(form.cols);
  made.tiles = static_cast<int32_t>(form.tiles());
  made.steps = static_cast<int32_t>(form.steps());
  made.largest_norm = form.largest_norm;
  made.error_ratio = form.error_ratio;
  const std::span<const uint8_t> lines(form.lines.data(), form.lines.size());
  RSR_ASSIGN_OR_RETURN(made.lines, cuda::upload(stream, lines));
  const auto floats = [&](const base::AlignedArray<float>& values) {
    return cuda::upload(stream, std::span<const float>(values.data(), values.size()));
  };
  RSR_ASSIGN_OR_RETURN(made.row_values, floats(form.row_values));
  RSR_ASSIGN_OR_RETURN(made.column_factors, floats(form.column_factors));
  return made;
}

Result<std::unique_ptr<DeviceHead>> DeviceHead::create(const cuda::Device& device,
                                                       const DeviceHeadForm& form,
                                                       const cuda::Dense& table) {
  std::unique_ptr<DeviceHead> made(new DeviceHead(device, form, table));
  RSR_RETURN_IF_ERROR(made->reserve());
  return made;
}

Status DeviceHead::reserve() {
  constexpr auto kFloat = static_cast<int64_t>(sizeof(float));
  const int64_t rows = int64_t{form_.tiles} * kernels::kScanTileRows;
  const std::pair<Memory*, int64_t> arrays[] = {
      {&changes_, form_.rows * static_cast<int64_t>(sizeof(cuda::HeadChange))},
      {&planes_, cuda::head_plane_bytes(form_.steps)},
      {&factors_, static_cast<int64_t>(sizeof(cuda::HeadFactors))},
      {&rows_, 2 * rows * kFloat},
      {&tiles_, int64_t{2} * form_.tiles * kFloat},
      {&ids_, cuda::kHeadMostCandidates * kFloat},
      {&count_, kFloat},
      {&logits_, cuda::kHeadMostCandidates * kFloat},
      {&result_, static_cast<int64_t>(sizeof(cuda::HeadResult))}};
  for (const auto& [memory, bytes] : arrays) {
    RSR_ASSIGN_OR_RETURN(*memory, Memory::create(device_, static_cast<size_t>(bytes)));
  }
  RSR_ASSIGN_OR_RETURN(answer_, cuda::PinnedMemory::create(device_, sizeof(cuda::HeadResult)));
  return {};
}

Status DeviceHead::reserve_changes() {
  if (known_changes_.bytes() > 0) return {};
  const auto rows = static_cast<size_t>(form_.rows);
  RSR_ASSIGN_OR_RETURN(known_changes_,
                       cuda::PinnedMemory::create(device_, rows * sizeof(cuda::HeadChange)));
  return {};
}

/// A few updates travel in the query; of many, the whole table is copied.
Status DeviceHead::prepare(cuda::Stream& stream, const HeadQuestion& question,
                           cuda::HeadQuery* query) {
  RSR_CHECK(question.query.rows >= 1 && question.query.rows <= form_.rows);
  RSR_CHECK(question.query.best >= 1 && question.query.best <= cuda::kHeadMostBest);
  *query = question.query;
  query->updates = 0;
  if (query->changes == 0) return {};
  RSR_RETURN_IF_ERROR(reserve_changes());
  auto* known = known_changes_.as<cuda::HeadChange>();
  if (question.anew) std::fill_n(known, form_.rows, cuda::HeadChange());
  for (const cuda::HeadUpdate& update : question.updates) {
    RSR_CHECK(update.id >= 0 && update.id < form_.rows);
    known[update.id] = update.change;
  }
  if (question.anew || question.updates.size() > size_t{cuda::kHeadMostUpdates}) {
    return stream.copy_to_device(changes_.data(), known, known_changes_.bytes());
  }
  std::copy(question.updates.begin(), question.updates.end(), query->update);
  query->updates = static_cast<int32_t>(question.updates.size());
  return {};
}

cuda::HeadBounds DeviceHead::bounds() const {
  const int64_t rows = int64_t{form_.tiles} * kernels::kScanTileRows;
  auto* of_rows = rows_.as<float>();
  auto* of_tiles = tiles_.as<float>();
  return {of_rows, of_rows + rows, of_tiles, of_tiles + form_.tiles};
}

Status DeviceHead::scan(cuda::Stream& stream, const float* state, const cuda::HeadQuery* query) {
  auto* planes = planes_.as<uint32_t>();
  auto* factors = factors_.as<cuda::HeadFactors>();
  auto* changes = changes_.as<cuda::HeadChange>();
  const cuda::HeadVector vector = {state,
                                   form_.column_factors.as<float>(),
                                   form_.cols,
                                   form_.largest_norm,
                                   form_.error_ratio,
                                   query,
                                   changes,
                                   planes,
                                   factors};
  RSR_RETURN_IF_ERROR(stream.run(&Operations::head_vector, vector));
  const cuda::HeadScan scan = {form_.lines.as<uint8_t>(),
                               form_.row_values.as<float>(),
                               form_.tiles,
                               form_.steps,
                               planes,
                               factors,
                               query,
                               changes,
                               bounds()};
  return stream.run(&Operations::head_scan, scan);
}

Status DeviceHead::ask(cuda::Stream& stream, const float* state, const cuda::HeadQuery* query) {
  RSR_RETURN_IF_ERROR(scan(stream, state, query));
  auto* ids = ids_.as<int32_t>();
  auto* count = count_.as<int32_t>();
  auto* result = result_.as<cuda::HeadResult>();
  const auto* factors = factors_.as<cuda::HeadFactors>();
  RSR_RETURN_IF_ERROR(
      stream.run(&Operations::head_pick,
                 cuda::HeadPick{bounds(), form_.tiles, factors, query, ids, count, result}));
  cuda::Dense rescore = table_;
  rescore.rows = cuda::kHeadMostCandidates;
  rescore.x = state;
  rescore.batch = 1;
  rescore.y = logits_.as<float>();
  rescore.stride = cuda::kHeadMostCandidates;
  rescore.row_ids = ids;
  rescore.row_count = count;
  RSR_RETURN_IF_ERROR(stream.run(&Operations::dense, rescore));
  RSR_RETURN_IF_ERROR(stream.run(
      &Operations::head_choose,
      cuda::HeadChoose{ids, count, rescore.y, query, changes_.as<cuda::HeadChange>(), result}));
  return stream.copy_to_host(answer_.as<cuda::HeadResult>(), result, sizeof(cuda::HeadResult));
}

std::optional<HeadChoice> DeviceHead::answer() const {
  const cuda::HeadResult& result = *answer_.as<cuda::HeadResult>();
  if (result.status != cuda::HeadStatus::chosen) return std::nullopt;
  return HeadChoice{result.id, result.candidates};
}

}  // namespace rsr::model
