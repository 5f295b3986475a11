#include "engine/measured_text.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace rsr::engine {
namespace {

using base::error;
using Ids = std::vector<int32_t>;

Result<Ids> encode(const Engine::Impl& engine, std::string_view text) {
  text::EncodeOptions options;
  options.add_special = false;
  return engine.tokenizer.encode(text, options);
}

/// `ids` are the reference's of the whole text: max_tokens must not hide that tokenizers differ.
Status check_same_tokens(const Engine::Impl& reference, const Engine::Impl& other,
                         std::string_view text, const Ids& ids) {
  const int64_t ours = reference.model.config.vocab_size;
  const int64_t theirs = other.model.config.vocab_size;
  if (ours != theirs) {
    return error(ErrorCode::invalid_argument, "the models have vocabularies of ", ours, " and ",
                 theirs, " tokens, so they cannot be compared");
  }
  if (reference.tokenizer.begin_ids() != other.tokenizer.begin_ids()) {
    return error(ErrorCode::invalid_argument, "the models' tokenizers put different ids before a ",
                 "text, so they cannot be compared");
  }
  RSR_ASSIGN_OR_RETURN(const Ids others, encode(other, text));
  if (ids == others) return {};
  const auto differ = std::mismatch(ids.begin(), ids.end(), others.begin(), others.end());
  return error(ErrorCode::invalid_argument, "the models' tokenizers give the text different ids, ",
               "first at its token ", differ.first - ids.begin() + 1,
               ", so they cannot be compared");
}

Result<WindowPlan> make_plan(const PerplexityOptions& options, int64_t context, int64_t begin_ids,
                             int64_t tokens) {
  const int64_t window = options.window == 0 ? std::min(context, kUsualWindow) : options.window;
  const int64_t least = std::max<int64_t>(2, begin_ids + 1);
  if (window < least) {
    return error(ErrorCode::invalid_argument, "window is ", window, ", must be at least ", least);
  }
  if (window > context) {
    return error(ErrorCode::invalid_argument, "window is ", window, ", the context is ", context);
  }
  const int64_t size = window - begin_ids;
  if (options.stride < 0 || options.stride > size) {
    return error(ErrorCode::invalid_argument, "stride is ", options.stride, ", must be 1 to ", size,
                 ", the text tokens of a window; 0: as many");
  }
  const WindowPlan plan = {tokens, size, options.stride == 0 ? size : options.stride, begin_ids};
  const int64_t predicted = plan.predicted();
  if (predicted >= 2) return plan;
  return error(ErrorCode::invalid_argument, "the text is too short: ", tokens,
               tokens == 1 ? " token, " : " tokens, ", predicted, " to predict, at least 2 needed");
}

}  // namespace

std::vector<int32_t> MeasuredText::ids_of(const Window& window) const {
  Ids all = begin_ids;
  all.insert(all.end(), ids.begin() + window.begin, ids.begin() + window.end);
  return all;
}

Result<MeasuredText> measured_text(const Engine::Impl& reference, const Engine::Impl* other,
                                   std::string_view text, const PerplexityOptions& options) {
  const int64_t most = options.max_tokens;
  if (most < 0) {
    return error(ErrorCode::invalid_argument, "max_tokens is ", most, ", must not be negative");
  }
  if (text.empty()) return error(ErrorCode::invalid_argument, "the text is empty");
  MeasuredText measured;
  measured.begin_ids = reference.tokenizer.begin_ids();
  RSR_ASSIGN_OR_RETURN(measured.ids, encode(reference, text));
  int64_t context = reference.context_length;
  if (other != nullptr && other != &reference) {
    RSR_RETURN_IF_ERROR(check_same_tokens(reference, *other, text, measured.ids));
    context = std::min(context, other->context_length);
  }
  if (most > 0 && static_cast<size_t>(most) < measured.ids.size()) {
    measured.ids.resize(static_cast<size_t>(most));
  }
  RSR_ASSIGN_OR_RETURN(measured.plan,
                       make_plan(options, context, static_cast<int64_t>(measured.begin_ids.size()),
                                 static_cast<int64_t>(measured.ids.size())));
  return measured;
}

}  // namespace rsr::engine
