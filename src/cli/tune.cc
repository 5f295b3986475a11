// rsr tune: finds the fastest settings of this machine and keeps them. tune_run.cc measures.
#include <algorithm>
#include <cstdio>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/check.h"
#include "cli/bench_lists.h"
#include "cli/bench_output.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/tune_run.h"
#include "linear/context.h"
#include "linear/tune_cache.h"

namespace rsr::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kHelp =
    "Times products of random matrices, read from memory, with one setting against the other:\n"
    "how far weights are prefetched, how many vectors share a pass, from which batch on panels\n"
    "of weights are decoded, what look-ups in tables over a batch gain (formats), how high RSR's\n"
    "blocks are (rsr), and how fast indexes for batches are (indexes). The best is kept in "
    "tune.json of the cache directory\n"
    "(RSR_CACHE_DIR, or rsr in XDG_CACHE_HOME or ~/.cache) for this processor, version and\n"
    "instruction set; what is started later uses it. Results do not depend on it, and without it\n"
    "there are defaults. Nothing else should run meanwhile.";

struct TuneFlags {
  MatrixShape shape{4096, 4096, false, 33};
  std::string suite;
  std::vector<std::string> bits = {"ternary"};
  std::vector<std::string> what = {"formats", "rsr", "indexes"};
  TuneOptions options{.batches = {1, 4, 8, 12, 16, 64}};
  int threads = 0;
  bool json = false;
};

bool contains(const std::vector<std::string>& list, const char* value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

std::vector<TuneJob> all_jobs(const TuneFlags& flags, const linear::KernelSet& kernels) {
  std::vector<MatrixShape> shapes = {flags.shape};
  if (!flags.suite.empty()) {
    shapes.clear();
    for (const ModelShape& s : model_shapes()) shapes.push_back({s.rows, s.cols, false, 33});
  }
  TuneOptions options = flags.options;
  options.formats = contains(flags.what, "formats");
  options.rsr = contains(flags.what, "rsr");
  options.indexes = contains(flags.what, "indexes");
  std::vector<TuneJob> jobs;
  for (MatrixShape shape : shapes) {
    for (const bool is_binary : {false, true}) {
      if (!contains(flags.bits, is_binary ? "binary" : "ternary")) continue;
      shape.is_binary = is_binary;
      const auto more = jobs_for(shape, kernels, options);
      jobs.insert(jobs.end(), more.begin(), more.end());
    }
  }
  return jobs;
}

size_t fastest(const TuneRecord& r) {
  size_t best = 0;
  for (size_t i = 1; i < r.seconds.size(); ++i) {
    if (r.seconds[i] > 0 && r.seconds[i] < r.seconds[best]) best = i;
  }
  return best;
}

const char* format_of(const TuneJob& job) {
  if (job.index) return "gray";
  return job.form ? "groups" : matrix::format_name(job.format);
}

Json form_of(const TuneJob& job) {
  if (job.index) return job.index->compiled ? "compiled" : "stream";
  return job.form ? Json(linear::form_name(*job.form)) : Json();
}

Json to_json(const TuneRecord& r) {
  Json times = Json::array();
  for (size_t i = 0; i < r.trials.size(); ++i) {
    if (r.seconds[i] > 0) {
      times.push_back({{"setting", r.trials[i]}, {"median_ns", r.seconds[i] * 1e9}});
    }
  }
  return {{"bits", r.job.binary ? "binary" : "ternary"},
          {"rows", r.job.rows},
          {"cols", r.job.cols},
          {"format", format_of(r.job)},
          {"form", form_of(r.job)},
          {"batch", r.batch},
          {"knob", r.knob},
          {"times", std::move(times)}};
}

Json to_json(const linear::TuningTable& table) {
  Json formats = Json::array();
  for (const matrix::Format format : matrix::kAllFormats) {
    const linear::Tuning& t = table.of(format);
    formats.push_back({{"format", matrix::format_name(format)},
                       {"prefetch_near", t.prefetch.near},
                       {"prefetch_far", t.prefetch.far},
                       {"gemm_batch", t.gemm_batch},
                       {"token_tile", t.token_tile},
                       {"tables_gain", t.tables_gain}});
  }
  return formats;
}

std::string text_of(const TuneRecord& r) {
  const size_t best = fastest(r);
  const std::string batch = ", batch " + std::to_string(r.batch);
  char line[256];
  std::snprintf(line, sizeof line, "%-44s %-10s %-9s %9.1f us; fastest %-9s %9.1f us (%.1f%%)\n",
                (describe(r.job) + batch).c_str(), r.knob.c_str(), r.trials[0].c_str(),
                1e6 * r.seconds[0], r.trials[best].c_str(), 1e6 * r.seconds[best],
                100 * (r.seconds[best] / r.seconds[0] - 1));
  return line;
}

std::string text_of(const linear::TuningTable& table, const std::string& path) {
  std::string text = "\nkept in " + path + ":\n";
  for (const matrix::Format format : matrix::kAllFormats) {
    const linear::Tuning& t = table.of(format);
    const std::string tile = t.token_tile > 0 ? std::to_string(t.token_tile) : "widest";
    char line[200];
    std::snprintf(line, sizeof line,
                  "  %s: prefetch %d and %d bytes ahead, token tile %s, gemm from %lld vectors, "
                  "look-ups %.2f times as fast as that\n",
                  matrix::format_name(format), t.prefetch.near, t.prefetch.far, tile.c_str(),
                  static_cast<long long>(t.gemm_batch), t.tables_gain);
    text += line;
  }
  for (const linear::RsrTuning& line : table.rsr) {
    text += "  RSR " + std::string(linear::form_name(line.form)) + " of " +
            std::to_string(line.rows) + " x " + std::to_string(line.cols) +
            (line.binary ? " binary" : " ternary") + ": k = " + std::to_string(line.k) + "\n";
  }
  for (const linear::IndexTuning& line : table.indexes) {
    char speed[100];
    std::snprintf(speed, sizeof speed,
                  "  index of %s vectors, %s: %.2f times the gain that is predicted\n",
                  line.floats ? "fp32" : "int8", line.compiled ? "compiled" : "stream", line.speed);
    text += speed;
  }
  return text;
}

/// Times all jobs; text is written as it comes.
Result<std::vector<TuneRecord>> measure(TuneRun& run, const std::vector<TuneJob>& jobs,
                                        Output* text) {
  const Progress progress(jobs.size());
  std::vector<TuneRecord> all;
  for (size_t i = 0; i < jobs.size(); ++i) {
    progress.show(i, describe(jobs[i]));
    auto records = run.measure(jobs[i]);
    progress.clear();
    if (!records.ok()) return records.status();
    for (const TuneRecord& record : *records) {
      if (text != nullptr) text->write(text_of(record));
    }
    std::move(records->begin(), records->end(), std::back_inserter(all));
  }
  return all;
}

int tune(const TuneFlags& flags) {
  const auto path = linear::tune_cache_path();
  if (!path) {
    return fail(base::error(ErrorCode::not_found,
                            "there is no directory to keep the result in: set RSR_CACHE_DIR"));
  }
  auto context = Context::create({.threads = flags.threads});
  if (!context.ok()) return fail(context.status());
  const int threads = context->threads();
  const linear::KernelSet kernels = context->impl().kernels;
  const linear::TuneKey key = linear::this_machine(kernels.isa);
  TuneRun run(std::move(*context), flags.options);
  Output output;
  const auto records = measure(run, all_jobs(flags, kernels), flags.json ? nullptr : &output);
  if (!records.ok()) return fail(records.status());
  const linear::TuningTable table = run.result(kernels.tuning);
  if (const Status written = linear::write_tuning(key, table); !written.ok()) {
    return fail(written);
  }
  if (flags.json) {
    Json measurements = Json::array();
    for (const TuneRecord& record : *records) measurements.push_back(to_json(record));
    const Json all = {{"cpu", key.cpu},
                      {"version", key.version},
                      {"isa", base::isa_name(key.isa)},
                      {"threads", threads},
                      {"tune_cache", *path},
                      {"formats", to_json(table)},
                      {"measurements", std::move(measurements)}};
    output.write(all.dump(2) + "\n");
  } else {
    output.write(text_of(table, *path));
  }
  return output.status().ok() ? kOk : fail(output.status());
}

template <class T>
CLI::Option* add_list(CLI::App& command, const char* name, std::vector<T>& values,
                      const char* help) {
  return command.add_option(name, values, help)
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("LIST")
      ->capture_default_str();
}

}  // namespace

void add_tune(CLI::App& app, Action& action) {
  const auto flags = std::make_shared<TuneFlags>();
  CLI::App* command = app.add_subcommand("tune", "Find this machine's fastest settings, keep them");
  command->footer(kHelp);
  const CLI::Range size(int64_t{1}, int64_t{1} << 24);
  auto* rows = command->add_option("--rows", flags->shape.rows, "Rows of the matrix (outputs)");
  auto* cols = command->add_option("--cols", flags->shape.cols, "Columns (inputs)");
  for (CLI::Option* option : {rows, cols}) option->check(size)->capture_default_str();
  command
      ->add_option("--suite", flags->suite,
                   "models: the shapes of BitNet-2B-4T, Llama3-8B and Falcon3-10B")
      ->check(CLI::IsMember({"models"}))
      ->excludes(rows)
      ->excludes(cols);
  add_list(*command, "--batch", flags->options.batches, "Vectors at once")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 16));
  add_list(*command, "--bits", flags->bits, "ternary (-1, 0, 1) or binary (0, 1)")
      ->check(CLI::IsMember({"ternary", "binary"}));
  add_list(*command, "--what", flags->what, "formats, rsr, indexes")
      ->check(CLI::IsMember({"formats", "rsr", "indexes"}));
  command->add_option("--repeats", flags->options.repeats, "Timed calls of each setting")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  command
      ->add_option("--cold-bytes", flags->options.cold_bytes,
                   "Bytes read before a copy is used again; 0: 640 MB, or twice the last cache")
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 40));
  add_threads(*command, &flags->threads);
  command->add_flag("--json", flags->json, "One JSON object with all times");
  command->callback([flags, &action] { action = [flags] { return tune(*flags); }; });
}

}  // namespace rsr::cli
