#include "engine/measure.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/check.h"
#include "engine/measured_text.h"
#include "engine/tally.h"
#include "engine/window_reader.h"

namespace rsr::engine {
namespace {

/// One or two models on their way through a text.
class Measurement {
 public:
  Measurement(MeasuredText text, int64_t tile, const PerplexityOptions& options)
      : text_(std::move(text)), tile_(tile), options_(options) {
    progress_.total = text_.plan.read();
    scores_.resize(static_cast<size_t>(tile));
  }

  /// Adds the reference, then perhaps the other model.
  Status add(const Engine::Impl& engine, std::optional<KvCacheType> kv_cache) {
    const auto type = kv_cache ? static_cast<model::KvType>(*kv_cache) : engine.kv_type;
    const int64_t positions = text_.plan.begin_ids + text_.plan.size;
    RSR_ASSIGN_OR_RETURN(WindowReader reader, WindowReader::create(engine, positions, type));
    readers_.push_back(std::move(reader));
    return {};
  }

  Status run() {
    RSR_RETURN_IF_ERROR(report());
    for (int64_t i = 0; i < text_.plan.count(); ++i) {
      RSR_RETURN_IF_ERROR(read_window(text_.plan.at(i)));
    }
    return {};
  }

  Comparison result() {
    Comparison result;
    if (is_pair()) {
      tally_.summarise(bytes_, &result);
      describe(readers_[1], &result.other);
    } else {
      tally_.summarise(bytes_, &result.reference);
    }
    describe(readers_[0], &result.reference);
    return result;
  }

 private:
  bool is_pair() const { return readers_.size() == 2; }
  const Engine::Impl& reference() const { return readers_[0].engine(); }

  Status read_window(const Window& window) {
    for (WindowReader& reader : readers_) reader.restart();
    const std::vector<int32_t> ids = text_.ids_of(window);
    // The token at a position is predicted from the logits of the one before.
    const int64_t first = text_.plan.begin_ids + window.first - window.begin - 1;
    RSR_RETURN_IF_ERROR(skip(std::span(ids).first(static_cast<size_t>(first))));
    int64_t token = window.first;
    while (token < window.end) {
      const int64_t count = std::min(tile_, window.end - token);
      const int64_t at = first + token - window.first;
      RSR_RETURN_IF_ERROR(score_tile(
          std::span(ids).subspan(static_cast<size_t>(at), static_cast<size_t>(count + 1))));
      RSR_RETURN_IF_ERROR(add_scores(token, count));
      token += count;
      RSR_RETURN_IF_ERROR(advance(count));
    }
    return {};
  }

  /// Reads what an earlier window predicted.
  Status skip(std::span<const int32_t> ids) {
    while (!ids.empty()) {
      const auto part = ids.first(std::min(ids.size(), static_cast<size_t>(model::kTile)));
      for (WindowReader& reader : readers_) RSR_RETURN_IF_ERROR(reader.skip(part));
      ids = ids.subspan(part.size());
      RSR_RETURN_IF_ERROR(advance(static_cast<int64_t>(part.size())));
    }
    return {};
  }

  /// Reads all of these tokens but the last; scores_[i] becomes that of token i + 1.
  Status score_tile(std::span<const int32_t> ids) {
    const std::span<const int32_t> inputs = ids.first(ids.size() - 1);
    const auto vocab = static_cast<size_t>(reference().model.config.vocab_size);
    RSR_ASSIGN_OR_RETURN(const std::span<const float> p, readers_[0].read(inputs));
    std::span<const float> q = p;
    if (is_pair()) {
      RSR_ASSIGN_OR_RETURN(q, readers_[1].read(inputs));
    }
    const auto score = [&](base::Range range) {
      for (auto i = static_cast<size_t>(range.begin); i < static_cast<size_t>(range.end); ++i) {
        const auto p_row = p.subspan(i * vocab, vocab);
        if (is_pair()) {
          scores_[i] = score_pair(p_row, q.subspan(i * vocab, vocab), ids[i + 1]);
        } else {
          scores_[i].reference = score_token(p_row, ids[i + 1]);
        }
      }
    };
    reference().context.impl().pool.parallel_for(static_cast<int64_t>(inputs.size()), score);
    return {};
  }

  /// Adds the scores of `count` text tokens one by one: the sums then have the same bits however
  /// the text was divided into tiles.
  Status add_scores(int64_t first, int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
      const PairScore& score = scores_[static_cast<size_t>(i)];
      RSR_RETURN_IF_ERROR(check(score, first + i));
      if (is_pair()) {
        tally_.add(score);
      } else {
        tally_.add(score.reference);
      }
      const int32_t id = text_.ids[static_cast<size_t>(first + i)];
      bytes_ += static_cast<int64_t>(reference().tokenizer.token_bytes(id, false).size());
    }
    return {};
  }

  Status check(const PairScore& score, int64_t token) const {
    const bool reference_broken = std::isnan(score.reference.nll);
    if (!reference_broken && !std::isnan(score.other.nll)) return {};
    const char* whose = !is_pair()         ? "the model"
                        : reference_broken ? "the reference"
                                           : "the other model";
    return base::error(ErrorCode::corrupt_data, whose,
                       " gave a logit that is not finite, where it predicts token ", token + 1,
                       " of the text");
  }

  Status advance(int64_t count) {
    progress_.done += count;
    return report();
  }

  Status report() {
    if (!options_.on_progress) return {};
    progress_.perplexity = tally_.perplexity();
    if (options_.on_progress(progress_)) return {};
    return base::error(ErrorCode::cancelled, "ended after reading ", progress_.done, " of ",
                       progress_.total, " tokens");
  }

  void describe(const WindowReader& reader, Perplexity* result) const {
    result->window = text_.plan.begin_ids + text_.plan.size;
    result->stride = text_.plan.stride;
    result->windows = text_.plan.count();
    result->text_tokens = text_.plan.tokens;
    result->read_tokens = progress_.done;
    result->seconds = reader.seconds();
  }

  MeasuredText text_;
  int64_t tile_;
  const PerplexityOptions& options_;
  std::vector<WindowReader> readers_;  // the reference, and perhaps the other
  std::vector<PairScore> scores_;      // of a tile
  Tally tally_;
  int64_t bytes_ = 0;  // of predicted tokens
  PerplexityProgress progress_;
};

}  // namespace

Result<Comparison> measure(const Engine::Impl& reference, const Engine::Impl* other,
                           std::string_view text, const PerplexityOptions& options, int64_t tile) {
  RSR_CHECK_OP(tile, >=, 1);
  RSR_ASSIGN_OR_RETURN(MeasuredText measured, measured_text(reference, other, text, options));
  Measurement measurement(std::move(measured), tile, options);
  RSR_RETURN_IF_ERROR(measurement.add(reference, options.kv_cache));
  if (other != nullptr) RSR_RETURN_IF_ERROR(measurement.add(*other, options.other_kv_cache));
  RSR_RETURN_IF_ERROR(measurement.run());
  return measurement.result();
}

}  // namespace rsr::engine
