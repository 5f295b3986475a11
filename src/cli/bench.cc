// rsr bench: measures this machine. The measuring itself is in bench_matvec.cc and bench_device.cc;
// bench model is in bench_model_command.cc.
#include <memory>
#include <sstream>

#include "base/check.h"
#include "cli/bench_device.h"
#include "cli/bench_lists.h"
#include "cli/bench_output.h"
#include "cli/commands.h"
#include "cli/list_flag.h"

namespace rsr::cli {
namespace {

constexpr const char* kMatvecHelp =
    "Times products of random matrices, each after comparing it with a plain product.\n\n"
    "Cold: copies of the matrix are used in turn, so that each is read from memory. Warm: the "
    "same\n"
    "matrix again. The share is that of the pure read bandwidth, measured in the same run with "
    "the\n"
    "same threads. Flags that take LIST take values separated by commas; every combination is\n"
    "measured. --kernel takes automatic, multiply-add, rsr, rsr:FORM, rsr:FORM:K, and for "
    "batches\n"
    "rsr-stream and rsr-compiled: an index beside the packed weights, as with --rsr-memory, and\n"
    "that as machine code, as with --jit.\n\n"
    "With --device cuda all of it is in the device's memory, and many products are one graph. The\n"
    "share is then that of the bandwidth of copies there, and --kernel takes automatic, t5 (1.6 "
    "bits\n"
    "per weight), rsr and rsr:K: the column groups of the paper, with the best K or this one.";

struct MatvecFlags {
  MatvecLists lists;
  std::vector<CLI::Option*> of_cpu;  // that a device has no use for
  bool json = false;
  bool csv = false;
};

std::string describe(const MatvecBenchOptions& o) {
  std::ostringstream text;
  text << o.rows << " x " << o.cols << " " << o.bits << ", " << o.activation << ", batch "
       << o.batch << ", threads " << o.threads << ", " << o.algorithm;
  return text.str();
}

/// Measures all, writing as it goes; what was written stays when a later product fails.
template <class Bench>
Status measure_all(const std::vector<MatvecBenchOptions>& all, Bench& bench, BenchWriter& writer) {
  const Progress progress(all.size());
  Status status;
  for (size_t i = 0; i < all.size() && status.ok(); ++i) {
    progress.show(i, describe(all[i]));
    const auto records = bench.measure(all[i]);
    progress.clear();
    if (!records.ok()) {
      status = records.status();
    } else if (!writer.write(*records)) {
      break;
    }
  }
  const Status written = writer.finish();
  return status.ok() ? written : status;
}

Status measure_on_device(const std::vector<MatvecBenchOptions>& all, BenchWriter& writer) {
  RSR_ASSIGN_OR_RETURN(const cuda::Device device, cuda::Device::open(all.front().device));
  RSR_ASSIGN_OR_RETURN(DeviceMatvecBench bench, DeviceMatvecBench::create(device));
  return measure_all(all, bench, writer);
}

/// The products that the flags ask for. Errors are wrong usage.
Result<std::vector<MatvecBenchOptions>> products(const MatvecFlags& flags) {
  for (const CLI::Option* option : flags.of_cpu) {
    if (flags.lists.one.device == "cpu" || option->count() == 0) continue;
    return base::error(ErrorCode::invalid_argument, option->get_name(), " is for the device cpu");
  }
  return expand(flags.lists);
}

int run_matvec(const MatvecFlags& flags) {
  const auto all = products(flags);
  if (!all.ok()) {
    fail(all.status());
    return kWrongUsage;
  }
  const bool on_cpu = flags.lists.one.device == "cpu";
  const BenchFormat format = flags.json                    ? BenchFormat::json
                             : flags.csv                   ? BenchFormat::csv
                             : on_cpu && all->size() == 1u ? BenchFormat::page
                                                           : BenchFormat::table;
  BenchWriter writer(format);
  MatvecBench bench;
  const Status status = on_cpu ? measure_all(*all, bench, writer) : measure_on_device(*all, writer);
  return status.ok() ? kOk : fail(status);
}

void add_shape(CLI::App& command, MatvecFlags& flags) {
  MatvecBenchOptions& one = flags.lists.one;
  CLI::Option* rows =
      command.add_option("--rows", one.rows, "Rows of the matrix (outputs)")->capture_default_str();
  CLI::Option* cols =
      command.add_option("--cols", one.cols, "Columns (inputs)")->capture_default_str();
  command
      .add_option("--suite", flags.lists.suite,
                  "models: the shapes of BitNet-2B-4T, Llama3-8B and Falcon3-10B")
      ->check(CLI::IsMember({"models"}))
      ->excludes(rows)
      ->excludes(cols);
  add_list(command, "--batch", flags.lists.batches, "Vectors at once");
  add_list(command, "--bits", flags.lists.bits, "ternary (-1, 0, 1) or binary (0, 1)")
      ->check(CLI::IsMember({"ternary", "binary"}));
  add_list(command, "--zeros", flags.lists.zeros, "Percent of zeros among ternary weights")
      ->check(CLI::Range(0, 100));
  add_list(command, "--activation", flags.lists.activations,
           "int8 in, int32 out; quantised: fp32 in, int8 inside, fp32 out; fp32 throughout")
      ->check(CLI::IsMember({"int8", "quantised", "fp32"}));
}

void add_way(CLI::App& command, MatvecFlags& flags) {
  MatvecBenchOptions& one = flags.lists.one;
  CLI::Option* algorithm =
      command.add_option("--algorithm", one.algorithm, "How it is computed")
          ->check(CLI::IsMember({"automatic", "multiply-add", "rsr", "rsr-stream", "rsr-compiled"}))
          ->capture_default_str();
  CLI::Option* form = command.add_option("--form", one.form, "Form of RSR")
                          ->check(CLI::IsMember({"scatter", "fold", "gray"}))
                          ->capture_default_str();
  CLI::Option* k = command.add_option("--k", one.k, "Rows of a block of RSR; 0: chosen")
                       ->check(CLI::Range(0, 16));
  flags.of_cpu.insert(flags.of_cpu.end(), {algorithm, form, k});
  add_list(command, "--kernel", flags.lists.kernels,
           "Instead of these three: algorithms, such as automatic,rsr:fold,rsr:scatter:8")
      ->excludes(algorithm)
      ->excludes(form)
      ->excludes(k);
  flags.of_cpu.push_back(add_list(command, "--residency", flags.lists.residencies,
                                  "What weights are prepared for: stream (read from memory) or "
                                  "cache")
                             ->check(CLI::IsMember({"stream", "cache"})));
}

void add_measuring(CLI::App& command, MatvecFlags& flags) {
  MatvecBenchOptions& one = flags.lists.one;
  command
      .add_option("--device", one.device,
                  "Where products are computed: cpu (the default) or a GPU: cuda, cuda:1")
      ->type_name("DEVICE");
  flags.of_cpu.push_back(add_list(command, "--threads", flags.lists.threads,
                                  "Threads; 0: as many cores as this process may use")
                             ->check(CLI::Range(0, 1024)));
  add_list(command, "--caches", flags.lists.caches, "States of the caches: cold, warm")
      ->check(CLI::IsMember({"cold", "warm"}));
  command.add_option("--repeats", one.repeats, "Timed calls of each kind")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  command
      .add_option(
          "--cold-bytes", one.cold_bytes,
          "Bytes read before a copy is used again; 0: 640 MB (256 MB on a device), or twice "
          "the last cache")
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 40));
  add_pin(command, &one.pin);
  flags.of_cpu.push_back(command.get_option("--pin"));
  CLI::Option* json =
      command.add_flag("--json", flags.json, "Print an array of records instead of the table");
  command.add_flag("--csv", flags.csv, "Print records as lines of comma-separated values")
      ->excludes(json);
}

void add_matvec(CLI::App& bench, Action& action) {
  auto flags = std::make_shared<MatvecFlags>();
  CLI::App* command = bench.add_subcommand("matvec", kMatvecHelp);
  add_shape(*command, *flags);
  add_way(*command, *flags);
  add_measuring(*command, *flags);
  command->callback([=, &action] { action = [=] { return run_matvec(*flags); }; });
}

}  // namespace

void add_bench(CLI::App& app, Action& action) {
  CLI::App* bench = app.add_subcommand("bench", "Measure this machine");
  bench->require_subcommand(1);
  add_matvec(*bench, action);
  add_bench_model(*bench, action);
}

}  // namespace rsr::cli
