#include "model/device_head.h"

#include <algorithm>

#include "base/check.h"

namespace rsr::model {

using cuda::Operations;
using cuda::reserve_array;

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

HeadWay HeadWay::of(const HeadQuestion& question, bool scan) {
  const cuda::HeadQuery& query = question.queries.front();  // they differ in no cut
  const bool draw = query.temperature != 0.0f;
  if (scan) return {.scan = true};
  return {.draw = draw, .top_k = draw && query.top_k > 0, .top_p = draw && query.top_p > 0};
}

Result<std::unique_ptr<DeviceHead>> DeviceHead::create(cuda::Stream& stream,
                                                       const DeviceHeadForm* form,
                                                       const cuda::Dense& table) {
  RSR_CHECK(fits(table.rows));
  std::unique_ptr<DeviceHead> made(new DeviceHead(stream.device(), form, table));
  RSR_RETURN_IF_ERROR(made->reserve(stream));
  if (form != nullptr) RSR_RETURN_IF_ERROR(made->reserve_scan(stream));
  return made;
}

Status DeviceHead::reserve(cuda::Stream& stream) {
  const int64_t rows = table_.rows;
  const int64_t tokens = kMostStates * rows;
  const int64_t blocks = (rows + cuda::kHeadBlockRows - 1) / cuda::kHeadBlockRows;
  RSR_RETURN_IF_ERROR(reserve_array<cuda::HeadChange>(device_, rows, &changes_));
  RSR_RETURN_IF_ERROR(reserve_array<cuda::HeadResult>(device_, kMostStates, &results_));
  RSR_RETURN_IF_ERROR(reserve_array<float>(device_, tokens, &scores_));
  RSR_RETURN_IF_ERROR(reserve_array<uint64_t>(device_, tokens, &weights_));
  RSR_RETURN_IF_ERROR(reserve_array<cuda::HeadCut>(device_, kMostStates, &cuts_));
  RSR_RETURN_IF_ERROR(
      reserve_array<uint64_t>(device_, kMostStates * cuda::kHeadDigitValues, &buckets_));
  RSR_RETURN_IF_ERROR(reserve_array<uint64_t>(device_, kMostStates * blocks, &sums_));
  RSR_RETURN_IF_ERROR(stream.clear(results_.data(), results_.bytes()));  // copied whole
  RSR_ASSIGN_OR_RETURN(answers_,
                       cuda::PinnedMemory::create(device_, kMostStates * sizeof(cuda::HeadResult)));
  return {};
}

Status DeviceHead::reserve_scan(cuda::Stream& stream) {
  const int64_t tiles = kMostStates * form_->tiles;
  const int64_t candidates = kMostStates * cuda::kHeadMostCandidates;
  const int64_t planes = kMostStates * cuda::head_plane_bytes(form_->steps);
  RSR_RETURN_IF_ERROR(reserve_array<uint8_t>(device_, planes, &planes_));
  RSR_RETURN_IF_ERROR(
      stream.clear(planes_.data(), planes_.bytes()));  // read for states not vouched for
  RSR_RETURN_IF_ERROR(reserve_array<cuda::HeadFactors>(device_, kMostStates, &factors_));
  RSR_RETURN_IF_ERROR(reserve_array<float>(device_, 2 * tiles * kernels::kScanTileRows, &rows_));
  RSR_RETURN_IF_ERROR(reserve_array<float>(device_, 2 * tiles, &tiles_));
  RSR_RETURN_IF_ERROR(reserve_array<int32_t>(device_, candidates, &ids_));
  RSR_RETURN_IF_ERROR(reserve_array<int32_t>(device_, kMostStates, &counts_));
  return reserve_array<float>(device_, candidates, &logits_);
}

Status DeviceHead::reserve_changes() {
  if (known_changes_.bytes() > 0) return {};
  RSR_ASSIGN_OR_RETURN(known_changes_, cuda::PinnedMemory::create(device_, changes_.bytes()));
  return {};
}

Status DeviceHead::clean(cuda::Stream& stream) {
  if (clean_) return {};
  RSR_RETURN_IF_ERROR(stream.clear(cuts_.data(), cuts_.bytes()));
  RSR_RETURN_IF_ERROR(stream.clear(buckets_.data(), buckets_.bytes()));
  clean_ = true;
  return {};
}

/// A few changes are copied one by one; of many, the whole table.
Status DeviceHead::prepare(cuda::Stream& stream, const HeadQuestion& question,
                           cuda::HeadQuery* queries) {
  constexpr size_t kFew = 16;
  RSR_RETURN_IF_ERROR(clean(stream));
  std::copy(question.queries.begin(), question.queries.end(), queries);
  const cuda::HeadQuery& query = question.queries.front();
  RSR_CHECK(query.rows >= 1 && query.rows <= table_.rows);
  RSR_CHECK(query.best >= 1 && query.best <= cuda::kHeadMostBest);
  if (query.changes == 0) return {};
  RSR_RETURN_IF_ERROR(reserve_changes());
  auto* known = known_changes_.as<cuda::HeadChange>();
  auto* changes = changes_.as<cuda::HeadChange>();
  const bool all = question.anew || question.updates.size() > kFew;
  if (question.anew) std::fill_n(known, table_.rows, cuda::HeadChange());
  for (const cuda::HeadUpdate& update : question.updates) {
    RSR_CHECK(update.id >= 0 && update.id < table_.rows);
    known[update.id] = update.change;
    if (all) continue;
    RSR_RETURN_IF_ERROR(
        stream.copy_to_device(changes + update.id, known + update.id, sizeof(cuda::HeadChange)));
  }
  return all ? stream.copy_to_device(changes, known, known_changes_.bytes()) : Status();
}

cuda::HeadBounds DeviceHead::bounds() const {
  const int64_t tiles = kMostStates * form_->tiles;
  auto* of_rows = rows_.as<float>();
  auto* of_tiles = tiles_.as<float>();
  return {of_rows, of_rows + tiles * kernels::kScanTileRows, of_tiles, of_tiles + tiles};
}

Status DeviceHead::find_candidates(cuda::Stream& stream, const Asked& asked) {
  auto* planes = planes_.as<uint32_t>();
  auto* factors = factors_.as<cuda::HeadFactors>();
  const cuda::HeadVector vector = {asked.x,
                                   form_->column_factors.as<float>(),
                                   asked.states,
                                   form_->cols,
                                   form_->largest_norm,
                                   form_->error_ratio,
                                   planes,
                                   factors};
  RSR_RETURN_IF_ERROR(stream.run(&Operations::head_vector, vector));
  const cuda::HeadScan scan = {form_->lines.as<uint8_t>(),
                               form_->row_values.as<float>(),
                               asked.states,
                               form_->tiles,
                               form_->steps,
                               planes,
                               factors,
                               asked.queries,
                               changes_.as<cuda::HeadChange>(),
                               bounds()};
  RSR_RETURN_IF_ERROR(stream.run(&Operations::head_scan, scan));
  const cuda::HeadPick pick = {
      bounds(),      asked.states,       form_->tiles,          factors,
      asked.queries, ids_.as<int32_t>(), counts_.as<int32_t>(), results_.as<cuda::HeadResult>()};
  return stream.run(&Operations::head_pick, pick);
}

Status DeviceHead::scan(cuda::Stream& stream, const Asked& asked) {
  RSR_RETURN_IF_ERROR(find_candidates(stream, asked));
  cuda::Dense rescore = table_;
  rescore.rows = cuda::kHeadMostCandidates;
  rescore.x = asked.x;
  rescore.batch = asked.states;
  rescore.y = logits_.as<float>();
  rescore.stride = cuda::kHeadMostCandidates;
  rescore.row_ids = ids_.as<int32_t>();
  rescore.row_counts = counts_.as<int32_t>();
  RSR_RETURN_IF_ERROR(stream.run(&Operations::dense, rescore));
  const cuda::HeadChoose choose = {asked.states,
                                   rescore.row_ids,
                                   rescore.row_counts,
                                   rescore.y,
                                   asked.queries,
                                   changes_.as<cuda::HeadChange>(),
                                   results_.as<cuda::HeadResult>()};
  RSR_RETURN_IF_ERROR(stream.run(&Operations::head_choose, choose));
  return copy_results(stream, asked.states);
}

Status DeviceHead::choose(cuda::Stream& stream, const Asked& asked, const float* logits,
                          const HeadWay& way) {
  const cuda::HeadTokens of = {asked.states,        table_.rows,
                               asked.queries,       cuts_.as<cuda::HeadCut>(),
                               scores_.as<float>(), weights_.as<uint64_t>()};
  const cuda::HeadScores scores = {of, logits, changes_.as<cuda::HeadChange>()};
  RSR_RETURN_IF_ERROR(stream.run(&Operations::head_scores, scores));
  if (way.top_k) RSR_RETURN_IF_ERROR(narrow(stream, of, false));
  if (way.draw) RSR_RETURN_IF_ERROR(stream.run(&Operations::head_weigh, cuda::HeadWeigh{of}));
  if (way.top_p) RSR_RETURN_IF_ERROR(narrow(stream, of, true));
  const cuda::HeadDraw draw = {of, sums_.as<uint64_t>(), results_.as<cuda::HeadResult>()};
  RSR_RETURN_IF_ERROR(stream.run(&Operations::head_draw, draw));
  return copy_results(stream, asked.states);
}

Status DeviceHead::narrow(cuda::Stream& stream, const cuda::HeadTokens& of, bool by_weight) {
  for (int32_t digit = 0; digit < cuda::kHeadDigits; ++digit) {
    const cuda::HeadNarrow p = {of, by_weight, digit, buckets_.as<uint64_t>()};
    RSR_RETURN_IF_ERROR(stream.run(&Operations::head_narrow, p));
  }
  return {};
}

Status DeviceHead::copy_results(cuda::Stream& stream, int32_t states) {
  return stream.copy_to_host(answers_.as<cuda::HeadResult>(), results_.as<cuda::HeadResult>(),
                             static_cast<size_t>(states) * sizeof(cuda::HeadResult));
}

std::optional<HeadChoice> DeviceHead::answer(int64_t state) const {
  const cuda::HeadResult& result = answers_.as<cuda::HeadResult>()[state];
  if (result.status != cuda::HeadStatus::chosen) return std::nullopt;
  return HeadChoice{result.id, result.candidates};
}

}  // namespace rsr::model
