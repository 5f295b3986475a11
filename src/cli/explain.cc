// rsr explain: how a product would be computed here, and what speaks for it.
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "base/cpu.h"
#include "cli/commands.h"
#include "cli/generate_flags.h"
#include "cli/output.h"
#include "cli/print.h"
#include "linear/candidates.h"
#include "linear/context.h"
#include "linear/tune_cache.h"

namespace rsr::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kHelp =
    "Shows which format and kernel a product of that outline gets, and the other ways that exist.\n"
    "Times are predicted from bytes and multiply-adds, with rates that were measured on one "
    "server\n"
    "processor: they order the ways, they promise nothing. `rsr bench matvec` measures.";

struct ExplainFlags {
  linear::ProductQuestion product;
  std::string bits = "ternary";
  std::string activation = "int8";
  std::string residency = "memory";
  std::string isa;
  int threads = 0;
  bool json = false;
};

/// The kernels of an instruction set, as a Context would have them; of one that this machine lacks,
/// all of them, untuned.
Result<linear::KernelSet> kernels_for(const std::string& name) {
  if (!name.empty()) {
    auto isa = base::isa_from_name(name);
    if (!isa.ok()) return isa.status().with_context("--isa");
    if (!base::has_isa(*isa)) return linear::KernelSet(*isa);
  }
  auto context = Context::create({.threads = 1, .isa = name});
  if (!context.ok()) return context.status();
  return context->impl().kernels;
}

struct Explanation {
  linear::ProductQuestion product;
  base::Isa isa = base::Isa::reference;
  linear::FormatChoice choice;
  linear::Tuning tuning;
  std::string origin;  // of the tuning
  std::vector<linear::Candidate> candidates;

  const linear::Candidate& chosen() const { return candidates.front(); }
  bool prefetches() const { return chosen().question.kind == linear::KernelKind::matvec; }
};

Explanation explain_product(const linear::KernelSet& kernels,
                            const linear::ProductQuestion& product) {
  Explanation e{product, kernels.isa, linear::choose_format(kernels, product), {}, "defaults", {}};
  e.tuning = kernels.tuning.of(e.choice.format);
  if (kernels.tuning.measured) e.origin = linear::tune_cache_path().value_or("");
  e.candidates = linear::candidates(kernels, product);
  return e;
}

/// The form of RSR; empty for packed weights.
std::string form_name(const linear::Candidate& c) {
  switch (c.question.kind) {
    case linear::KernelKind::rsr:
      return linear::form_name(c.question.form);
    case linear::KernelKind::gray:
      return "stream";
    case linear::KernelKind::compiled:
      return "compiled";
    default:
      return "";
  }
}

std::string form_text(const linear::Candidate& c) {
  std::string name = form_name(c);
  if (name.empty()) return name;
  return name + ", k = " + std::to_string(c.question.k) + (c.measured_k ? " (tuned)" : "");
}

Json to_json(const linear::Candidate& c) {
  const std::string form = form_name(c);
  return {{"format", c.format},
          {"kernel", c.kernel},
          {"form", form.empty() ? Json() : Json(form)},
          {"k", form.empty() ? Json() : Json(c.question.k)},
          {"token_tile", c.token_tile},
          {"threads", c.cost.threads},
          {"bytes", c.cost.bytes},
          {"operations", c.cost.operations},
          {"read_ns", c.cost.read_seconds * 1e9},
          {"work_ns", c.cost.work_seconds * 1e9},
          {"predicted_ns", c.cost.seconds * 1e9},
          {"chosen", c.chosen}};
}

Json to_json(const Explanation& e) {
  Json all = Json::array();
  for (const linear::Candidate& c : e.candidates) all.push_back(to_json(c));
  const Json prefetch = {{"near", e.tuning.prefetch.near}, {"far", e.tuning.prefetch.far}};
  return {{"rows", e.product.rows},
          {"cols", e.product.cols},
          {"batch", e.product.batch},
          {"zeros", e.product.binary ? 50 : e.product.zeros},
          {"rsr_memory", e.product.rsr_memory},
          {"jit", e.product.jit},
          {"bits", e.product.binary ? "binary" : "ternary"},
          {"activation", e.product.floats ? "fp32" : "int8"},
          {"residency", e.product.residency == Residency::cache ? "cache" : "memory"},
          {"isa", base::isa_name(e.isa)},
          {"threads", e.product.threads},
          {"format", e.chosen().format},
          {"kernel", e.chosen().kernel},
          {"reason", e.choice.reason},
          {"prefetch", e.prefetches() ? prefetch : Json()},
          {"gemm_from_batch", e.tuning.gemm_batch},
          {"tuning", e.origin == "defaults" ? "defaults" : "tune cache"},
          {"tune_cache", e.origin == "defaults" ? Json() : Json(e.origin)},
          {"candidates", std::move(all)}};
}

/// The packed format and why; where an index is beside it, that first.
std::string format_text(const Explanation& e) {
  std::string packed = std::string(matrix::format_name(e.choice.format)) + ": " + e.choice.reason;
  if (e.chosen().format != "gray") return packed;
  return "gray, an index with fewer additions, beside " + packed;
}

std::string head_text(const Explanation& e) {
  const linear::Candidate& c = e.chosen();
  std::ostringstream out;
  out << e.product.rows << " x " << e.product.cols << " "
      << (e.product.binary ? "binary" : "ternary") << ", batch " << e.product.batch
      << ", activations " << (e.product.floats ? "fp32" : "int8") << ", weights from "
      << (e.product.residency == Residency::cache ? "the cache" : "memory") << ", instruction set "
      << base::isa_name(e.isa) << (base::has_isa(e.isa) ? "" : " (not on this machine)") << "\n\n"
      << "format   " << format_text(e) << "\n"
      << "kernel   " << c.kernel << "\n"
      << "threads  " << c.cost.threads << " of " << e.product.threads << "\n";
  if (!e.product.floats) out << "tokens   tiles of " << c.token_tile << "\n";
  if (e.prefetches()) {
    out << "prefetch " << e.tuning.prefetch.near << " bytes ahead into L1, "
        << e.tuning.prefetch.far << " into L2\n";
  }
  const bool reading = c.cost.read_seconds > c.cost.work_seconds;
  out << "bound by " << (reading ? "reading the weights" : "multiply-adds")
      << print(" (%.1f us against %.1f us)\n",
               1e6 * std::max(c.cost.read_seconds, c.cost.work_seconds),
               1e6 * std::min(c.cost.read_seconds, c.cost.work_seconds))
      << "tuning   " << e.origin << "\n";
  return out.str();
}

std::string table_text(const Explanation& e) {
  std::string out = print("\n  %-7s %-28s %-24s %14s %14s %13s\n", "format", "kernel", "form",
                          "bytes", "operations", "predicted");
  for (const linear::Candidate& c : e.candidates) {
    out += print("%s %-7s %-28s %-24s %14lld %14.0f %10.1f us\n", c.chosen ? "*" : " ",
                 c.format.c_str(), c.kernel.c_str(), form_text(c).c_str(),
                 static_cast<long long>(c.cost.bytes), c.cost.operations, 1e6 * c.cost.seconds);
  }
  return out +
         "\n* chosen. Operations are multiply-adds; of gemm_tables and RSR additions. Gray needs\n"
         "--rsr-memory, and --jit for its compiled form.\n";
}

int explain(const ExplainFlags& flags) {
  auto kernels = kernels_for(flags.isa);
  if (!kernels.ok()) return fail(kernels.status());
  linear::ProductQuestion product = flags.product;
  product.binary = flags.bits == "binary";
  product.floats = flags.activation == "fp32";
  product.residency = flags.residency == "cache" ? Residency::cache : Residency::memory;
  product.threads = flags.threads > 0 ? flags.threads : base::usable_cores();
  const Explanation e = explain_product(*kernels, product);
  Output output;
  output.write(flags.json ? to_json(e).dump(2) + "\n" : head_text(e) + table_text(e));
  return output.status().ok() ? kOk : fail(output.status());
}

}  // namespace

void add_explain(CLI::App& app, Action& action) {
  // Products of these stay far below 2^63.
  const CLI::Range most(int64_t{1}, int64_t{1} << 20);
  const auto flags = std::make_shared<ExplainFlags>();
  CLI::App* command =
      app.add_subcommand("explain", "Show how a product would be computed, and why");
  command->footer(kHelp);
  linear::ProductQuestion& product = flags->product;
  command->add_option("--rows", product.rows, "Rows (outputs)")->required()->check(most);
  command->add_option("--cols", product.cols, "Columns (inputs)")->required()->check(most);
  command->add_option("--batch", product.batch, "Vectors at once")
      ->check(most)
      ->capture_default_str();
  command->add_option("--bits", flags->bits, "ternary (-1, 0, 1) or binary (0, 1)")
      ->check(CLI::IsMember({"ternary", "binary"}))
      ->capture_default_str();
  command->add_option("--activation", flags->activation, "int8 or fp32")
      ->check(CLI::IsMember({"int8", "fp32"}))
      ->capture_default_str();
  command->add_option("--residency", flags->residency, "Where the weights are: memory or cache")
      ->check(CLI::IsMember({"memory", "cache"}))
      ->capture_default_str();
  command->add_option("--isa", flags->isa, "Instruction set; any, also one not on this machine")
      ->type_name("NAME");
  command->add_option("--zeros", product.zeros, "Percent of zeros among ternary values")
      ->check(CLI::Range(0, 100))
      ->capture_default_str();
  add_rsr(*command, &product.rsr_memory, &product.jit);
  add_threads(*command, &flags->threads);
  command->add_flag("--json", flags->json, "One JSON object");
  command->callback([flags, &action] { action = [flags] { return explain(*flags); }; });
}

}  // namespace rsr::cli
