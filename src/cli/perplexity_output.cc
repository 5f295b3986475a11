#include "cli/perplexity_output.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/print.h"
#include "model/kv_cache.h"

namespace rsr::cli {
namespace {

using Json = nlohmann::ordered_json;

const char* kv_name(KvCacheType type) {
  return model::kv_type_name(static_cast<model::KvType>(type));
}

Json text_json(const std::string& file, const Perplexity& result) {
  return {{"file", file},
          {"window", result.window},
          {"stride", result.stride},
          {"windows", result.windows},
          {"text_tokens", result.text_tokens},
          {"predicted_tokens", result.predicted_tokens},
          {"predicted_bytes", result.predicted_bytes},
          {"read_tokens", result.read_tokens}};
}

/// Numbers that are not finite become null, as JSON has none.
Json model_json(const MeasuredModel& model, const Perplexity& result) {
  const double seconds = result.seconds;
  return {{"model", model.name},
          {"isa", model.isa},
          {"device", model.device},
          {"kv", kv_name(model.kv_cache)},
          {"threads", model.threads},
          {"perplexity", result.perplexity},
          {"perplexity_error", result.perplexity_error},
          {"mean_nll", result.mean_nll},
          {"mean_nll_error", result.mean_nll_error},
          {"bits_per_byte", result.bits_per_byte},
          {"seconds", seconds},
          {"tokens_per_second", static_cast<double>(result.read_tokens) / seconds}};
}

Json comparison_members(const Comparison& result) {
  return {{"nll_difference", result.nll_difference},
          {"nll_difference_error", result.nll_difference_error},
          {"perplexity_ratio", result.perplexity_ratio},
          {"perplexity_ratio_error", result.perplexity_ratio_error},
          {"mean_kl", result.mean_kl},
          {"mean_kl_error", result.mean_kl_error},
          {"median_kl", result.median_kl},
          {"p99_kl", result.p99_kl},
          {"max_kl", result.max_kl},
          {"top1_agreement", result.top1_agreement},
          {"top1_agreement_error", result.top1_agreement_error},
          {"max_logit_difference", result.max_logit_difference}};
}

/// "7.1234 +/- 0.0456"; of large numbers the leading digits.
std::string with_error(double value, double error) {
  return print(value < 1e5 ? "%.4f +/- %.4f" : "%.5g +/- %.2g", value, error);
}

/// A line of the page: what it is, and a column for each model.
class Page {
 public:
  explicit Page(size_t width) : width_(width) {}

  void line(const std::string& label, const std::string& first, const std::string& second = {}) {
    text_ << label << std::string(kLabelWidth - label.size(), ' ') << first;
    if (!second.empty()) text_ << std::string(width_ - first.size(), ' ') << second;
    text_ << "\n";
  }
  void gap() { text_ << "\n"; }
  std::string text() const { return text_.str(); }

 private:
  static constexpr size_t kLabelWidth = 18;
  size_t width_;
  std::ostringstream text_;
};

void add_text(Page& page, const Perplexity& result) {
  page.line("text", print("%lld of %lld tokens predicted, %lld bytes",
                          static_cast<long long>(result.predicted_tokens),
                          static_cast<long long>(result.text_tokens),
                          static_cast<long long>(result.predicted_bytes)));
  page.line(
      "windows",
      print("%lld of %lld positions, every %lld tokens", static_cast<long long>(result.windows),
            static_cast<long long>(result.window), static_cast<long long>(result.stride)));
}

std::string settings(const MeasuredModel& model) {
  return std::string(kv_name(model.kv_cache)) + " cache, " +
         (model.device == "cpu" ? model.isa : model.device);
}

std::string speed(const Perplexity& result) {
  return print("%.1f tokens/s", static_cast<double>(result.read_tokens) / result.seconds);
}

}  // namespace

std::string perplexity_json(const std::string& file, const MeasuredModel& model,
                            const Perplexity& result) {
  Json json = text_json(file, result);
  json.update(model_json(model, result));
  return json.dump() + "\n";
}

std::string perplexity_page(const Perplexity& result) {
  Page page(0);
  page.line("perplexity", with_error(result.perplexity, result.perplexity_error));
  page.line("nats per token", with_error(result.mean_nll, result.mean_nll_error));
  page.line("bits per byte", print("%.4f", result.bits_per_byte));
  add_text(page, result);
  page.line("speed", speed(result));
  return page.text();
}

std::string comparison_json(const std::string& file, const MeasuredModel& model,
                            const MeasuredModel& other, const Comparison& result) {
  Json json = text_json(file, result.reference);
  json.update(model_json(model, result.reference));
  json["against"] = model_json(other, result.other);
  json["comparison"] = comparison_members(result);
  return json.dump() + "\n";
}

std::string comparison_page(const MeasuredModel& model, const MeasuredModel& other,
                            const Comparison& result) {
  const Perplexity& a = result.reference;
  const Perplexity& b = result.other;
  const auto both = [&](double Perplexity::*value, double Perplexity::*error) {
    return std::pair{with_error(a.*value, a.*error), with_error(b.*value, b.*error)};
  };
  const auto [first_ppl, second_ppl] = both(&Perplexity::perplexity, &Perplexity::perplexity_error);
  const auto [first_nll, second_nll] = both(&Perplexity::mean_nll, &Perplexity::mean_nll_error);
  Page page(
      std::max({model.name.size(), settings(model).size(), first_ppl.size(), first_nll.size()}) +
      2);
  page.line("model", model.name, other.name);
  page.line("", settings(model), settings(other));
  page.line("perplexity", first_ppl, second_ppl);
  page.line("nats per token", first_nll, second_nll);
  page.line("bits per byte", print("%.4f", a.bits_per_byte), print("%.4f", b.bits_per_byte));
  page.line("speed", speed(a), speed(b));
  page.gap();
  page.line("perplexity ratio",
            print("%.6f +/- %.6f", result.perplexity_ratio, result.perplexity_ratio_error));
  page.line("nats difference",
            print("%.6f +/- %.6f", result.nll_difference, result.nll_difference_error));
  page.line("KL divergence",
            print("%.3g +/- %.2g nats; median %.3g, 99%% %.3g, most %.3g", result.mean_kl,
                  result.mean_kl_error, result.median_kl, result.p99_kl, result.max_kl));
  page.line("same best token", print("%.3f%% +/- %.3f%%", 100 * result.top1_agreement,
                                     100 * result.top1_agreement_error));
  page.line("logits apart", print("%.3g at most", result.max_logit_difference));
  add_text(page, a);
  return page.text();
}

}  // namespace rsr::cli
