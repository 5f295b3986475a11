#include "cli/bench_model_output.h"

#include <cstdio>
#include <sstream>

#include "cli/print.h"

namespace rsr::cli {
namespace {

using model::Stage;
using nlohmann::ordered_json;

/// A number that was measured, or null.
ordered_json measured(double value) {
  return value > 0 ? ordered_json(value) : ordered_json();
}

double seconds_of(const ModelBenchRecord& r, Stage stage) {
  return r.stage_seconds[static_cast<size_t>(stage)];
}

std::string stages_text(const ModelBenchRecord& r) {
  if (!r.device.empty()) return "\n";  // nobody looks at a graph's clock
  return print(" %9.2f %9.2f %9.2f %9.2f\n", 1e3 * seconds_of(r, Stage::linears),
               1e3 * seconds_of(r, Stage::attention), 1e3 * seconds_of(r, Stage::head),
               1e3 * seconds_of(r, Stage::rest));
}

std::string machine(const ModelBenchRecord& r) {
  if (!r.device.empty()) return r.device + ", " + r.isa + "; host: " + r.cpu;
  return r.cpu + ", " + std::to_string(r.threads) + (r.threads == 1 ? " thread" : " threads") +
         ", instruction set " + r.isa;
}

/// That a token's bytes are held against.
double bandwidth(const ModelBenchRecord& r) {
  return r.device.empty() ? r.r4_bytes_per_second : r.copy_bytes_per_second;
}

std::string about(const ModelBenchRecord& r) {
  std::ostringstream out;
  out << r.shape << (r.synthetic ? " (synthetic: random weights)" : "") << "\n"
      << machine(r) << "\n"
      << r.format << "; cache " << r.kv << "; head "
      << (r.head_scanned ? print("scanned, %.1f candidates", r.head_candidates) : "in full") << "\n"
      << (r.synthetic ? "made" : "loaded")
      << print(" in %.2f s, peak memory %.2f GB\n", r.load_seconds,
               static_cast<double>(r.peak_rss_bytes) / 1e9);
  return out.str();
}

constexpr const char* kStageHeads = "   linears attention      head      rest";

std::string gemm_text(const ModelBenchRecord& r) {
  if (!r.device.empty()) return "";
  return r.gemm_seconds > 0 ? print(" %7.1f%%", 100 * gemm_share(r)) : "        -";
}

std::string prefill_line(const ModelBenchRecord& r) {
  return print("%7lld %9.2f %10.3f", static_cast<long long>(r.context), tokens_per_second(r),
               1e3 * r.median_seconds) +
         gemm_text(r) + stages_text(r);
}

std::string decode_line(const ModelBenchRecord& r) {
  return print("%7lld %9.2f %10.3f", static_cast<long long>(r.context), tokens_per_second(r),
               1e3 * r.median_seconds) +
         print(" %9.1f %9.2f %9.2f %6.1f%%", r.bytes_per_token / 1e6, bandwidth(r) / 1e9,
               roofline_tokens_per_second(r), 100 * share(r)) +
         stages_text(r);
}

std::string verify_line(const ModelBenchRecord& r, const ModelBenchRecord* one) {
  std::string line =
      print("%7lld %10.3f", static_cast<long long>(r.guesses), 1e3 * r.median_seconds);
  line += one != nullptr ? print(" %8.2f", r.median_seconds / one->median_seconds) : "        -";
  return line + stages_text(r);
}

const char* op_name(ModelStep step) {
  switch (step) {
    case ModelStep::prefill:
      return "prefill";
    case ModelStep::decode:
      return "decode";
    case ModelStep::verify:
      return "verify";
  }
  return "";
}

}  // namespace

double tokens_per_second(const ModelBenchRecord& r) {
  return (r.step == ModelStep::prefill ? static_cast<double>(r.context) : 1.0) / r.median_seconds;
}

double roofline_tokens_per_second(const ModelBenchRecord& r) {
  return r.bytes_per_token > 0 ? bandwidth(r) / r.bytes_per_token : 0;
}

double share(const ModelBenchRecord& r) {
  const double roofline = roofline_tokens_per_second(r);
  return roofline > 0 ? tokens_per_second(r) / roofline : 0;
}

double gemm_share(const ModelBenchRecord& r) {
  return r.gemm_seconds / r.median_seconds;
}

ordered_json to_json(const ModelBenchRecord& r) {
  const double rate = tokens_per_second(r);
  return {{"op", op_name(r.step)},
          {"shape", r.shape},
          {"synthetic", r.synthetic},
          {"threads", r.threads},
          {"context", r.context},
          {"prefill_tok_s", measured(r.step == ModelStep::prefill ? rate : 0)},
          {"decode_tok_s", measured(r.step == ModelStep::decode ? rate : 0)},
          {"bytes_per_token", measured(r.bytes_per_token)},
          {"r4_gb_per_s", measured(r.r4_bytes_per_second / 1e9)},
          {"roofline_tok_s", measured(roofline_tokens_per_second(r))},
          {"share", measured(share(r))},
          {"load_s", r.load_seconds},
          {"peak_rss_bytes", r.peak_rss_bytes},
          {"guesses", r.guesses},
          {"median_s", r.median_seconds},
          {"min_s", r.min_seconds},
          {"max_s", r.max_seconds},
          {"repeats", r.repeats},
          {"gemm_s", measured(r.gemm_seconds)},
          {"gemm_share", measured(gemm_share(r))},
          {"linears_s", measured(seconds_of(r, Stage::linears))},
          {"attention_s", measured(seconds_of(r, Stage::attention))},
          {"head_s", measured(seconds_of(r, Stage::head))},
          {"rest_s", measured(seconds_of(r, Stage::rest))},
          {"head", r.head_scanned ? "scan" : "full"},
          {"head_candidates", r.head_candidates},
          {"kv", r.kv},
          {"kernel", r.format},
          {"isa", r.isa},
          {"cpu", r.cpu},
          {"device", r.device.empty() ? "cpu" : r.device},
          {"copy_gb_per_s", measured(r.copy_bytes_per_second / 1e9)}};
}

std::string model_page(const std::vector<ModelBenchRecord>& records) {
  std::string prefill;
  std::string decode;
  std::string verify;
  const ModelBenchRecord* one = nullptr;  // a token without guesses, at the same context
  for (const ModelBenchRecord& r : records) {
    switch (r.step) {
      case ModelStep::prefill:
        prefill += prefill_line(r);
        break;
      case ModelStep::decode:
        decode += decode_line(r);
        if (one == nullptr) one = &r;
        break;
      case ModelStep::verify:
        verify += verify_line(r, one);
        break;
    }
  }
  const bool on_cpu = records.back().device.empty();
  const std::string stages = on_cpu ? kStageHeads : "";
  return about(records.back()) + "\nReading a prompt" +
         (on_cpu ? "; stages in ms of the whole prompt; GEMM: its products alone, warm\n" : "\n") +
         print("%7s %9s %10s", "tokens", "tok/s", "ms") + (on_cpu ? "     GEMM" : "") + stages +
         "\n" + prefill + "\nDecoding" + (on_cpu ? "; stages in ms of a token\n" : "\n") +
         print("%7s %9s %10s %9s %9s %9s %7s", "context", "tok/s", "ms", "MB/token",
               on_cpu ? "R4 GB/s" : "copy GB/s", "roofline", "share") +
         stages + "\n" + decode +
         "\nA token and guesses behind it in one pass, at the first context; times: of a token "
         "alone\n" +
         print("%7s %10s %8s", "guesses", "ms", "times") + stages + "\n" + verify;
}

}  // namespace rsr::cli
