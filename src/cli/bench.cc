// rsr bench: measures this machine. The measuring itself is in bench_matvec.cc.
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/bench_matvec.h"
#include "cli/commands.h"
#include "cli/output.h"

namespace rsr::cli {
namespace {

constexpr const char* kMatvecHelp =
    "Times one product of a random matrix, after comparing it with a plain product.\n\n"
    "Cold: copies of the matrix are used in turn, so that each is read from memory. Warm: the "
    "same\n"
    "matrix again. The share is that of the pure read bandwidth, measured in the same run with "
    "the\n"
    "same threads.";

nlohmann::ordered_json to_json(const MatvecBenchOptions& o, const MatvecReport& report,
                               const MatvecRecord& r) {
  const double weights = static_cast<double>(o.rows) * static_cast<double>(o.cols);
  const double bytes_per_second = static_cast<double>(report.bytes) / (r.median_ns * 1e-9);
  return {{"op", "matvec"},
          {"bits", o.bits},
          {"activation", o.activation},
          {"rows", o.rows},
          {"cols", o.cols},
          {"batch", o.batch},
          {"threads", report.threads},
          {"kernel", report.kernel},
          {"isa", report.isa},
          {"format", report.format},
          {"format_bits_per_weight", report.bits_per_weight},
          {"cold", r.cold},
          {"median_ns", r.median_ns},
          {"min_ns", r.min_ns},
          {"max_ns", r.max_ns},
          {"bytes", report.bytes},
          {"gb_per_s", bytes_per_second / 1e9},
          {"r4_gb_per_s", report.read_bandwidth / 1e9},
          {"share", bytes_per_second / report.read_bandwidth},
          {"gmac_per_s", weights * static_cast<double>(o.batch) / r.median_ns},
          {"checked", report.checked_rows},
          {"exact", o.activation == "int8"},
          {"repeats", o.repeats},
          {"cpu", report.cpu}};
}

std::string to_text(const MatvecBenchOptions& o, const MatvecReport& report) {
  std::ostringstream out;
  out << report.cpu << ", " << report.threads << (report.threads == 1 ? " thread" : " threads")
      << ", instruction set " << report.isa << "\n";
  out << o.rows << " x " << o.cols << " " << o.bits << ", batch " << o.batch << ", activations "
      << o.activation << "\n";
  out << report.format << "; " << report.kernel << "\n";
  out << "checked " << report.checked_rows << " results, prepared in ";
  char line[160];
  std::snprintf(line, sizeof line, "%.3f s, reading alone %.1f GB/s\n\n", report.prepare_seconds,
                report.read_bandwidth / 1e9);
  out << line;
  std::snprintf(line, sizeof line, "%-5s %12s %12s %12s %8s %7s %9s\n", "", "median", "least",
                "most", "GB/s", "share", "GMAC/s");
  out << line;
  for (const MatvecRecord& r : report.records) {
    const auto json = to_json(o, report, r);
    std::snprintf(line, sizeof line, "%-5s %9.1f us %9.1f us %9.1f us %8.2f %6.1f%% %9.1f\n",
                  r.cold ? "cold" : "warm", r.median_ns / 1e3, r.min_ns / 1e3, r.max_ns / 1e3,
                  json["gb_per_s"].get<double>(), 100 * json["share"].get<double>(),
                  json["gmac_per_s"].get<double>());
    out << line;
  }
  return out.str();
}

int run_matvec(const MatvecBenchOptions& options, bool json) {
  const auto report = bench_matvec(options);
  if (!report.ok()) return fail(report.status());
  std::string text;
  if (json) {
    nlohmann::ordered_json all = nlohmann::ordered_json::array();
    for (const MatvecRecord& r : report->records) all.push_back(to_json(options, *report, r));
    text = all.dump(2) + "\n";
  } else {
    text = to_text(options, *report);
  }
  Output output;
  output.write(text);
  return output.status().ok() ? kOk : fail(output.status());
}

void add_matvec(CLI::App& bench, Action& action) {
  auto options = std::make_shared<MatvecBenchOptions>();
  auto json = std::make_shared<bool>(false);
  CLI::App* command = bench.add_subcommand("matvec", kMatvecHelp);
  command->add_option("--rows", options->rows, "Rows of the matrix (outputs)")
      ->capture_default_str();
  command->add_option("--cols", options->cols, "Columns (inputs)")->capture_default_str();
  command->add_option("--batch", options->batch, "Vectors at once")->capture_default_str();
  command->add_option("--bits", options->bits, "ternary (-1, 0, 1) or binary (0, 1)")
      ->check(CLI::IsMember({"ternary", "binary"}))
      ->capture_default_str();
  command
      ->add_option("--activation", options->activation,
                   "int8 in, int32 out; quantised: fp32 in, int8 inside, fp32 out; fp32 throughout")
      ->check(CLI::IsMember({"int8", "quantised", "fp32"}))
      ->capture_default_str();
  command->add_option("--algorithm", options->algorithm, "How the product is computed")
      ->check(CLI::IsMember({"automatic", "multiply-add", "rsr"}))
      ->capture_default_str();
  command->add_option("--form", options->form, "Form of RSR")
      ->check(CLI::IsMember({"scatter", "fold", "gray"}))
      ->capture_default_str();
  command->add_option("--k", options->k, "Rows of a block of RSR; 0: chosen")
      ->check(CLI::Range(0, 16));
  command->add_option("--repeats", options->repeats, "Timed calls of each kind")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  add_threads(*command, &options->threads);
  command->add_flag("--json", *json, "Print an array of records instead of the table");
  command->callback([=, &action] { action = [=] { return run_matvec(*options, *json); }; });
}

}  // namespace

void add_bench(CLI::App& app, Action& action) {
  CLI::App* bench = app.add_subcommand("bench", "Measure this machine");
  bench->require_subcommand(1);
  add_matvec(*bench, action);
}

}  // namespace rsr::cli
