#include "cli/perplexity_run.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/check.h"
#include "cli/commands.h"
#include "cli/generate_flags.h"
#include "cli/interrupt.h"
#include "cli/model_dir.h"
#include "cli/output.h"
#include "cli/perplexity_output.h"
#include "cli/progress_bar.h"
#include "cli/text_input.h"
#include "cli/timing.h"
#include "engine/engine_impl.h"
#include "engine/measured_text.h"
#include "model/config.h"
#include "text/tokenizer.h"
#include "text/utf8.h"

namespace rsr::cli {
namespace {

Result<std::string> read_measured(const std::string& file) {
  RSR_ASSIGN_OR_RETURN(std::string text, read_text(file, text::Tokenizer::kMaxTextBytes));
  const std::string name = file == "-" ? "standard input" : file;
  if (text.empty()) return base::error(ErrorCode::invalid_argument, name, ": is empty");
  if (const auto invalid = text::find_invalid_utf8(text)) {
    return base::error(ErrorCode::invalid_argument, name, ": is not UTF-8 at byte ", *invalid);
  }
  return text;
}

Result<Engine> open(const PerplexityFlags& flags, const Subject& subject) {
  GenerateFlags open;
  open.engine = flags.engine;
  open.engine.context.isa = subject.isa;
  open.engine.device = subject.device;
  open.engine.kv_cache = subject.kv_cache;
  open.engine.head = HeadMethod::full;  // all logits are needed: no copy for scans
  RSR_ASSIGN_OR_RETURN(open.model, model_directory(subject.model));
  RSR_ASSIGN_OR_RETURN(const model::ModelConfig config, model::read_config(open.model));
  const int64_t window = flags.measure.window;
  if (window > config.max_positions) {
    return base::error(ErrorCode::invalid_argument, "--window is ", window, ", ", subject.model,
                       " was trained for ", config.max_positions);
  }
  // Room for a window, not for all that the model could hold.
  open.engine.context_length =
      std::min(std::max(window, engine::kUsualWindow), config.max_positions);
  return open_engine(open);
}

/// Draws how far it is until Ctrl-C, and remembers where that was.
class Watch {
 public:
  bool operator()(const PerplexityProgress& progress) {
    last_ = progress;
    const double share = static_cast<double>(progress.done) /
                         static_cast<double>(std::max<int64_t>(1, progress.total));
    const double left = share > 0 ? (now_seconds() - start_) * (1 - share) / share : 0;
    char text[160];
    std::snprintf(text, sizeof text, "%lld of %lld tokens%s, %.0f s left",
                  static_cast<long long>(progress.done), static_cast<long long>(progress.total),
                  so_far().c_str(), left);
    bar_.show(share, text);
    return !interrupted();
  }

  int finish(const Status& status) {
    bar_.clear();
    if (status.code() == ErrorCode::cancelled) {
      std::fprintf(stderr, "interrupted after %lld of %lld tokens%s\n",
                   static_cast<long long>(last_.done), static_cast<long long>(last_.total),
                   so_far().c_str());
      return kInterrupted;
    }
    const bool of_flag =
        status.message().starts_with("window ") || status.message().starts_with("stride ");
    return fail(of_flag ? Status(status.code(), "--" + status.message()) : status);
  }

  void clear() { bar_.clear(); }

 private:
  std::string so_far() const {
    if (std::isnan(last_.perplexity)) return {};
    char text[60];
    std::snprintf(text, sizeof text, ", perplexity so far %.4f", last_.perplexity);
    return text;
  }

  ProgressBar bar_;
  PerplexityProgress last_;
  double start_ = now_seconds();
};

MeasuredModel measured(const Subject& subject, const Engine& engine) {
  const Context& context = engine.impl().context;
  return {subject.model, context.isa(), subject.device, subject.kv_cache, context.threads()};
}

int write(const std::string& text) {
  Output output;
  output.write(text);
  return output.status().ok() ? kOk : fail(output.status());
}

int measure_one(const PerplexityFlags& flags, const Engine& engine, const std::string& text,
                Watch& watch) {
  const Result<Perplexity> result = perplexity(engine, text, flags.measure);
  if (!result.ok()) return watch.finish(result.status());
  watch.clear();
  return write(flags.json ? perplexity_json(flags.file, measured(flags.first, engine), *result)
                          : perplexity_page(*result));
}

int measure_two(PerplexityFlags flags, const Engine& engine, const Engine& other,
                const std::string& text, Watch& watch) {
  const Subject second = flags.second();
  flags.measure.kv_cache = flags.first.kv_cache;
  flags.measure.other_kv_cache = second.kv_cache;
  const Result<Comparison> result = compare_models(engine, other, text, flags.measure);
  if (!result.ok()) return watch.finish(result.status());
  watch.clear();
  const MeasuredModel a = measured(flags.first, engine);
  const MeasuredModel b = measured(second, other);
  return write(flags.json ? comparison_json(flags.file, a, b, *result)
                          : comparison_page(a, b, *result));
}

}  // namespace

int run_perplexity(PerplexityFlags flags) {
  const Result<std::string> text = read_measured(flags.file);
  if (!text.ok()) return fail(text.status());
  const Result<Engine> engine = open(flags, flags.first);
  if (!engine.ok()) return fail_unless_interrupted(engine.status());
  const Subject second = flags.second();
  std::optional<Engine> other = *engine;  // where only the caches differ, the weights are shared
  if (second.model != flags.first.model || second.isa != flags.first.isa ||
      second.device != flags.first.device) {
    Result<Engine> opened = open(flags, second);
    if (!opened.ok()) return fail_unless_interrupted(opened.status());
    other = *opened;
  }
  catch_interrupt();
  Watch watch;
  flags.measure.on_progress = [&watch](const PerplexityProgress& p) { return watch(p); };
  return flags.compares() ? measure_two(flags, *engine, *other, *text, watch)
                          : measure_one(flags, *engine, *text, watch);
}

}  // namespace rsr::cli
