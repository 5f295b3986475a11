// Perplexity and comparisons against plain sums over the logits of the forward pass.
#include "rsr/perplexity.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/measure.h"
#include "engine/tiny_engine.h"

namespace rsr {
namespace {

using nlohmann::json;

constexpr const char* kText =
    "one, two, three and twenty-four: numbers, some of them in words and some (17, 3) in digits. "
    "Other words are new to the tokenizer, \xc3\xa4 and \xe2\x82\xac among them.";

class PerplexityOf : public TinyEngine {
 protected:
  json tokenizer() const {
    return json::parse(std::ifstream(std::string(kDemo) + "tokenizer.json"));
  }
};

/// -ln p of every predicted token, by the definition: each window through the model at once.
std::vector<double> plain_nlls(const Engine& engine, const PerplexityOptions& options) {
  const Engine::Impl& impl = engine.impl();
  const Ids text = encode(engine, kText, false);
  const Ids before = impl.tokenizer.begin_ids();
  const size_t size = static_cast<size_t>(options.window) - before.size();
  const size_t stride = options.stride == 0 ? size : static_cast<size_t>(options.stride);
  const auto vocab = static_cast<size_t>(impl.model.config.vocab_size);
  std::vector<double> nlls;
  size_t held = 0;
  for (size_t begin = 0; held < text.size(); begin += stride) {
    const size_t end = std::min(text.size(), begin + size);
    Ids ids = before;
    ids.insert(ids.end(), text.begin() + begin, text.begin() + end);
    model::Sequence sequence(
        model::KvCache::create(impl.model.config, options.window, impl.kv_type).value());
    const auto logits =
        model::forward(impl.context.impl(), impl.model, sequence, ids, model::LogitsOf::all);
    for (size_t i = 1; i < ids.size(); ++i) {
      if (begin + i < held + before.size()) continue;
      const auto row = logits.subspan((i - 1) * vocab, vocab);
      double sum = 0;
      for (const float x : row) sum += std::exp(static_cast<double>(x));
      nlls.push_back(std::log(sum) - static_cast<double>(row[static_cast<size_t>(ids[i])]));
    }
    held = end;
  }
  return nlls;
}

void expect_plain(const Engine& engine, const PerplexityOptions& options) {
  const std::vector<double> nlls = plain_nlls(engine, options);
  const auto count = static_cast<double>(nlls.size());
  double mean = 0;
  for (const double nll : nlls) mean += nll / count;
  double variance = 0;
  for (const double nll : nlls) variance += (nll - mean) * (nll - mean) / (count - 1);
  const Perplexity result = perplexity(engine, kText, options).value();
  EXPECT_EQ(result.predicted_tokens, static_cast<int64_t>(nlls.size()));
  EXPECT_NEAR(result.mean_nll, mean, 1e-12);
  EXPECT_NEAR(result.mean_nll_error, std::sqrt(variance / count), 1e-12);
  EXPECT_NEAR(result.perplexity / std::exp(mean), 1, 1e-12);
  EXPECT_NEAR(result.perplexity_error / result.perplexity, std::sqrt(variance / count), 1e-12);
  EXPECT_NEAR(result.bits_per_byte * static_cast<double>(result.predicted_bytes),
              mean * count / std::log(2.0), 1e-9);
}

TEST_F(PerplexityOf, IsThatOfThePlainFormula) {
  const Engine engine = open();
  const auto tokens = static_cast<int64_t>(encode(engine, kText, false).size());
  ASSERT_GT(tokens, 80);
  const PerplexityOptions all[] = {{.window = 600},
                                   {.window = 30},
                                   {.window = 30, .stride = 29},
                                   {.window = 30, .stride = 7},
                                   {.window = 2, .stride = 1},
                                   {.window = 600, .stride = 3}};
  for (const PerplexityOptions& options : all) {
    SCOPED_TRACE(std::to_string(options.window) + ", " + std::to_string(options.stride));
    expect_plain(engine, options);
    const Perplexity result = perplexity(engine, kText, options).value();
    EXPECT_EQ(result.predicted_tokens, tokens);
    EXPECT_EQ(result.predicted_bytes, static_cast<int64_t>(std::string(kText).size()));
  }
}

TEST_F(PerplexityOf, NothingIsPredictedFromNothing) {
  json without = tokenizer();
  without["post_processor"] = nullptr;
  write_file("tokenizer.json", without.dump());
  const Engine engine = open();
  const auto tokens = static_cast<int64_t>(encode(engine, kText, false).size());
  for (const int64_t stride : {0, 9, 19}) {
    SCOPED_TRACE(stride);
    const PerplexityOptions options = {.window = 20, .stride = stride};
    expect_plain(engine, options);
    const Perplexity result = perplexity(engine, kText, options).value();
    const int64_t alone = stride == 0 ? (tokens + 19) / 20 : 1;
    EXPECT_EQ(result.predicted_tokens, tokens - alone);
  }
}

TEST_F(PerplexityOf, UsualWindows) {
  const Perplexity tiny = perplexity(open(), kText).value();
  EXPECT_EQ(tiny.window, 512);
  EXPECT_EQ(tiny.stride, 511);
  EXPECT_EQ(tiny.windows, 1);
  EXPECT_EQ(tiny.read_tokens, tiny.text_tokens);  // begin-of-text is read, the last token is not
  EXPECT_GT(tiny.seconds, 0);
  const Perplexity small =
      perplexity(open({.context = {.threads = 1}, .context_length = 40}), kText).value();
  EXPECT_EQ(small.window, 40);
  EXPECT_EQ(small.windows, (small.text_tokens + 38) / 39);
}

TEST_F(PerplexityOf, TheBeginningOfAText) {
  const Engine engine = open();
  const Perplexity all = perplexity(engine, "one, two", {}).value();
  const Perplexity more =
      perplexity(engine, "one, two and", {.max_tokens = all.text_tokens}).value();
  EXPECT_EQ(more.mean_nll, all.mean_nll);
  EXPECT_EQ(more.text_tokens, all.text_tokens);
  EXPECT_EQ(perplexity(engine, "one, two", {.max_tokens = 10000})->text_tokens, all.text_tokens);
}

TEST_F(PerplexityOf, BitsDependNeitherOnTilesNorOnThreads) {
  const Engine one = open({.context = {.threads = 1}});
  const Engine three = open({.context = {.threads = 3}});
  const PerplexityOptions options = {
      .window = 50, .stride = 20, .kv_cache = KvCacheType::f32, .other_kv_cache = KvCacheType::i8};
  const Comparison wanted = compare_models(one, one, kText, options).value();
  for (const int64_t tile : {1, 2, 3, 17, 1000}) {
    for (const Engine* engine : {&one, &three}) {
      SCOPED_TRACE(tile);
      const Comparison result =
          engine::measure(engine->impl(), &engine->impl(), kText, options, tile).value();
      EXPECT_EQ(result.reference.mean_nll, wanted.reference.mean_nll);
      EXPECT_EQ(result.reference.mean_nll_error, wanted.reference.mean_nll_error);
      EXPECT_EQ(result.other.mean_nll, wanted.other.mean_nll);
      EXPECT_EQ(result.mean_kl, wanted.mean_kl);
      EXPECT_EQ(result.p99_kl, wanted.p99_kl);
      EXPECT_EQ(result.max_logit_difference, wanted.max_logit_difference);
      EXPECT_EQ(result.top1_agreement, wanted.top1_agreement);
    }
  }
}

TEST_F(PerplexityOf, AModelAgreesWithItself) {
  const Engine engine = open();
  const Engine again = open({.context = {.threads = 1}});
  const Perplexity alone = perplexity(engine, kText, {.window = 40}).value();
  for (const Engine* other : {&engine, &again}) {
    const Comparison result = compare_models(engine, *other, kText, {.window = 40}).value();
    EXPECT_EQ(result.reference.mean_nll, alone.mean_nll);
    EXPECT_EQ(result.other.mean_nll, alone.mean_nll);
    EXPECT_EQ(result.reference.predicted_tokens, alone.predicted_tokens);
    EXPECT_EQ(result.other.read_tokens, alone.read_tokens);
    EXPECT_EQ(result.nll_difference, 0);
    EXPECT_EQ(result.nll_difference_error, 0);
    EXPECT_EQ(result.perplexity_ratio, 1);
    EXPECT_EQ(result.mean_kl, 0);
    EXPECT_EQ(result.max_kl, 0);
    EXPECT_EQ(result.top1_agreement, 1);
    EXPECT_EQ(result.top1_agreement_error, 0);
    EXPECT_EQ(result.max_logit_difference, 0);
  }
}

TEST_F(PerplexityOf, ACacheOfBytesIsNearAndNotEqual) {
  const Engine exact = open({.context = {.threads = 2}, .kv_cache = KvCacheType::f32});
  const Engine bytes = open({.context = {.threads = 2}, .kv_cache = KvCacheType::i8});
  const Comparison result = compare_models(exact, bytes, kText).value();
  EXPECT_GT(result.mean_kl, 0);
  EXPECT_LT(result.mean_kl, 0.1);
  EXPECT_GT(result.mean_kl_error, 0);
  EXPECT_LE(result.median_kl, result.p99_kl);
  EXPECT_LE(result.p99_kl, result.max_kl);
  EXPECT_LE(result.mean_kl, result.max_kl);
  EXPECT_GT(result.max_logit_difference, 0);
  EXPECT_GT(result.top1_agreement, 0.5);
  EXPECT_NEAR(result.nll_difference, result.other.mean_nll - result.reference.mean_nll, 1e-12);
  EXPECT_NEAR(result.perplexity_ratio, result.other.perplexity / result.reference.perplexity,
              1e-12);
  // The caches may as well be options of one engine.
  const Comparison shared =
      compare_models(bytes, bytes, kText,
                     {.kv_cache = KvCacheType::f32, .other_kv_cache = KvCacheType::i8})
          .value();
  EXPECT_EQ(shared.mean_kl, result.mean_kl);
  EXPECT_EQ(shared.reference.mean_nll, result.reference.mean_nll);
  EXPECT_EQ(shared.other.mean_nll, result.other.mean_nll);
}

TEST_F(PerplexityOf, ProgressAndItsEnd) {
  const Engine engine = open();
  std::vector<PerplexityProgress> seen;
  PerplexityOptions options = {.window = 100, .stride = 50};
  options.on_progress = [&](const PerplexityProgress& progress) {
    seen.push_back(progress);
    return true;
  };
  const Perplexity result = perplexity(engine, kText, options).value();
  EXPECT_TRUE(std::isnan(seen.front().perplexity));
  EXPECT_EQ(seen.front().done, 0);
  EXPECT_EQ(seen.back().done, seen.back().total);
  EXPECT_EQ(seen.back().total, result.read_tokens);
  EXPECT_EQ(seen.back().perplexity, result.perplexity);
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end(),
                             [](const auto& a, const auto& b) { return a.done < b.done; }));
  options.on_progress = [](const PerplexityProgress& progress) { return progress.done == 0; };
  const Status cancelled = perplexity(engine, kText, options).status();
  EXPECT_EQ(cancelled.code(), ErrorCode::cancelled);
  EXPECT_NE(cancelled.message().find("of " + std::to_string(result.read_tokens)),
            std::string::npos);
}

}  // namespace
}  // namespace rsr
