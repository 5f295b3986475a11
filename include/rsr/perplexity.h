// How well a model predicts a text, and what another model or setting changes about its
// predictions.
#pragma once

#include <rsr/engine.h>
#include <rsr/status.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

namespace rsr {

struct PerplexityProgress {
  int64_t done = 0;       ///< tokens that were read
  int64_t total = 0;      ///< tokens that are to be read
  double perplexity = 0;  ///< of the tokens predicted so far; NaN before the first
};

/// How a text is measured. Its tokens (special ones recognised, as Hugging Face does) are divided
/// into windows, each read from an empty cache:
///
/// - A window begins with the ids that the tokenizer puts before a text (begin-of-text, or none)
///   and goes on with the next tokens of the text, `window` positions altogether; the last one may
///   be shorter.
/// - Windows begin at text tokens 0, stride, 2 * stride, ... until one reaches the end of the text.
/// - A window predicts those of its text tokens that no earlier window held, each from all that
///   stands before it in the window: every token of the text is predicted once. Only where the
///   tokenizer puts nothing before a text, the first token of the first window, and of every window
///   when they do not overlap, has nothing before it and is not predicted.
struct PerplexityOptions {
  /// Positions of a window: 2 or more, and room for a token of text, up to the engine's context.
  /// 0: the engine's context, 512 at most.
  int64_t window = 0;
  /// Text tokens from one window's begin to the next, 1 to what a window holds; less gives each
  /// token a longer past, for more work. 0: what a window holds, so that no token is read twice.
  int64_t stride = 0;
  /// Only this many tokens of the text are used; 0: all.
  int64_t max_tokens = 0;
  /// How keys and values are kept; not set: as the engine's own options say.
  std::optional<KvCacheType> kv_cache = {};
  /// The same for the other model of compare_models().
  std::optional<KvCacheType> other_kv_cache = {};
  /// Called a few times for each window; false ends the work with the error `cancelled`.
  std::function<bool(const PerplexityProgress&)> on_progress = {};
};

/// Probabilities are the softmax of all vocab_size logits, without temperature, computed and summed
/// in double. Errors (after +-) are standard errors that take the tokens as independent.
struct Perplexity {
  int64_t window = 0;            ///< positions of a window, ids before the text included
  int64_t stride = 0;            ///< text tokens from window to window
  int64_t windows = 0;           ///< how many there were
  int64_t text_tokens = 0;       ///< of the text, as far as it was used
  int64_t predicted_tokens = 0;  ///< of these, at least 2
  int64_t predicted_bytes = 0;   ///< UTF-8 bytes that the predicted tokens stand for
  double mean_nll = 0;           ///< mean of -ln p(token), in nats per predicted token
  double mean_nll_error = 0;     ///< its standard error
  double perplexity = 0;         ///< exp(mean_nll); infinity where that is too large
  double perplexity_error = 0;   ///< perplexity * mean_nll_error
  double bits_per_byte = 0;      ///< all -log2 p(token) together, over predicted_bytes
  int64_t read_tokens = 0;       ///< that went through the model, over all windows
  double seconds = 0;            ///< wall time of the model alone, without the statistics
};

/// The perplexity of `text` (UTF-8, 64 MiB at most) under a model. The result, but for the seconds,
/// does not depend on the number of threads. Memory for logits is bounded, whatever the window.
///
/// Errors: options out of range (named), text that is not UTF-8 or of which fewer than 2 tokens can
/// be predicted, logits that are not finite (corrupt_data, with the place), `cancelled`.
Result<Perplexity> perplexity(const Engine& engine, std::string_view text,
                              const PerplexityOptions& options = {});

/// The predictions of two models, position by position. P is the reference's distribution, Q the
/// other's; divergences are in nats.
struct Comparison {
  Perplexity reference;
  Perplexity other;
  double nll_difference = 0;          ///< mean of the other's -ln q less the reference's -ln p
  double nll_difference_error = 0;    ///< standard error of that mean of differences
  double perplexity_ratio = 0;        ///< other to reference: exp(nll_difference)
  double perplexity_ratio_error = 0;  ///< perplexity_ratio * nll_difference_error
  double mean_kl = 0;                 ///< mean of KL(P||Q) = sum of p ln(p / q); never negative
  double mean_kl_error = 0;           ///< its standard error
  double median_kl = 0;               ///< half of the positions have at most this
  double p99_kl = 0;                  ///< 99 of 100 positions have at most this
  double max_kl = 0;                  ///< of all positions
  double top1_agreement = 0;        ///< share of positions with the same best token (of equals: the
                                    ///< lowest id), 0 to 1
  double top1_agreement_error = 0;  ///< its standard error
  double max_logit_difference = 0;  ///< largest |difference| of any logit at any position
};

/// Both models read the windows of perplexity() in turn. The two may be one engine, say with two
/// kinds of caches; a model compared with itself gives differences and divergences of exactly 0.
/// Errors: those of perplexity(), naming which model; models whose vocabularies differ in size, or
/// whose tokenizers divide the text differently.
Result<Comparison> compare_models(const Engine& reference, const Engine& other,
                                  std::string_view text, const PerplexityOptions& options = {});

}  // namespace rsr
