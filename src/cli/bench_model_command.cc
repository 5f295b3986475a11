// rsr bench model: its flags.
#include <memory>
#include <new>

#include "base/check.h"
#include "cli/bench_model.h"
#include "cli/bench_model_device.h"
#include "cli/bench_model_output.h"
#include "cli/bench_model_subject.h"
#include "cli/commands.h"
#include "cli/generate_flags.h"
#include "cli/list_flag.h"
#include "cli/model_dir.h"
#include "cli/output.h"
#include "cli/timing.h"
#include "engine/ngram_drafts.h"
#include "model/synthetic.h"

namespace rsr::cli {
namespace {

constexpr const char* kHelp =
    "Times a language model: reading prompts, new tokens at several lengths of context, and "
    "guessed ones.\n\n"
    "With --shape it makes random weights of a known model's sizes in memory, so that nothing "
    "need\n"
    "be downloaded. The roofline is the pure read bandwidth, measured between the steps with the\n"
    "same threads, over the bytes that a token reads; the share is what was reached of it. Keys "
    "and\n"
    "values of the contexts are random. Flags that take LIST take values separated by commas.\n\n"
    "With --device cuda the bandwidth is that of copies in the device's memory, bytes read and "
    "written\n"
    "counted; times are the host's, from a token to the next one chosen.";

struct ModelFlags {
  ModelBenchOptions options;
  bool json = false;
};

/// Errors: what is for the CPU only.
Status check_device(const ModelBenchOptions& options) {
  if (options.engine.rsr_memory == 0) return {};
  return base::error(ErrorCode::invalid_argument, "--rsr-memory is for the device cpu");
}

Result<std::vector<ModelBenchRecord>> measure_on_device(const ModelBenchOptions& options) {
  RSR_ASSIGN_OR_RETURN(const cuda::Device device, cuda::Device::open(options.engine.device));
  RSR_RETURN_IF_ERROR(check_device(options));
  RSR_ASSIGN_OR_RETURN(ModelSubject subject, open_subject(options));
  print_notice(subject.model.notice);
  const double begin = now_seconds();
  RSR_ASSIGN_OR_RETURN(ModelOnDevice model,
                       ModelOnDevice::create(subject.context.impl(), device, subject.model));
  subject.load_seconds += now_seconds() - begin;
  return bench_model(options, subject, &model);
}

Result<std::vector<ModelBenchRecord>> measure(const ModelBenchOptions& options) {
  try {
    if (options.engine.device != "cpu") return measure_on_device(options);
    RSR_ASSIGN_OR_RETURN(const ModelSubject subject, open_subject(options));
    print_notice(subject.model.notice);
    return bench_model(options, subject);
  } catch (const std::bad_alloc&) {
    return base::error(ErrorCode::limit_exceeded, "out of memory");
  }
}

int run_model(const ModelFlags& flags) {
  const auto records = measure(flags.options);
  if (!records.ok()) return fail_unless_interrupted(records.status());
  Output output;
  if (flags.json) {
    nlohmann::ordered_json all = nlohmann::ordered_json::array();
    for (const ModelBenchRecord& record : *records) all.push_back(to_json(record));
    output.write(all.dump(2) + "\n");
  } else {
    output.write(model_page(*records));
  }
  return output.status().ok() ? kOk : fail(output.status());
}

void add_measuring(CLI::App& command, ModelBenchOptions& options) {
  constexpr int64_t kMostPositions = int64_t{1} << 24;
  add_list(command, "--contexts", options.contexts,
           "Tokens that a new one attends to; the usual ones only as far as the model goes")
      ->default_str("128,1024,4096")
      ->check(CLI::Range(int64_t{1}, kMostPositions));
  add_list(command, "--prompts", options.prompts,
           "Tokens of prompts; the usual ones only as far as the model goes")
      ->default_str("32,128,512")
      ->check(CLI::Range(int64_t{1}, kMostPositions));
  add_list(command, "--guesses", options.guesses,
           "Drafted tokens that are read along with one at the first context (rsr run --draft)")
      ->default_str("1,3,7")
      ->check(CLI::Range(int64_t{1}, engine::NgramDrafts::kMost));
  command.add_option("--repeats", options.repeats, "Timed tokens at each context")
      ->check(CLI::Range(1, 100000))
      ->type_name("N")
      ->capture_default_str();
  command.add_option("--prompt-repeats", options.prompt_repeats, "Timed readings of each prompt")
      ->check(CLI::Range(1, 100000))
      ->type_name("N")
      ->capture_default_str();
}

}  // namespace

void add_bench_model(CLI::App& bench, Action& action) {
  const auto flags = std::make_shared<ModelFlags>();
  ModelBenchOptions& options = flags->options;
  CLI::App* command = bench.add_subcommand("model", kHelp);
  CLI::Option* model = add_model(*command, &options.model)->required(false);
  CLI::Option* shape =
      command->add_option("--shape", options.shape, "Instead: random weights of this shape")
          ->check(CLI::IsMember(model::shape_names()))
          ->excludes(model)
          ->type_name("NAME");
  add_device(*command, &options.engine.device);
  add_threads(*command, &options.engine.context.threads);
  add_pin(*command, &options.engine.context.pin_threads);
  add_kv(*command, &options.engine.kv_cache);
  add_head(*command, &options.engine.head);
  add_rsr(*command, &options.engine.rsr_memory, &options.engine.jit);
  add_verify(*command, &options.engine.verify);
  add_measuring(*command, options);
  command->add_flag("--json", flags->json, "Print an array of records instead of the tables");
  command->callback([=, &action] {
    if (model->count() + shape->count() == 0) throw CLI::RequiredError("MODEL or --shape");
    action = [=] { return run_model(*flags); };
  });
}

}  // namespace rsr::cli
