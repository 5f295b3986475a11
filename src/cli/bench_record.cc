#include "cli/bench_record.h"

namespace rsr::cli {
namespace {

using nlohmann::ordered_json;

/// A number that was measured, or null.
ordered_json measured(double value) {
  return value > 0 ? ordered_json(value) : ordered_json();
}

std::string csv_cell(const ordered_json& value) {
  if (value.is_null()) return "";
  if (!value.is_string()) return value.dump();
  auto text = value.get<std::string>();
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

}  // namespace

double gmac_per_second(const BenchRecord& r) {
  const double weights = static_cast<double>(r.rows) * static_cast<double>(r.cols);
  return r.median_ns > 0 ? weights * static_cast<double>(r.batch) / r.median_ns : 0;
}

double gb_per_second(const BenchRecord& r) {
  return r.median_ns > 0 ? static_cast<double>(r.bytes) / r.median_ns : 0;
}

double share(const BenchRecord& r) {
  const double most = r.device.empty() ? r.r4_bytes_per_second : r.copy_bytes_per_second;
  return most > 0 ? gb_per_second(r) * 1e9 / most : 0;
}

double floor_ns(const BenchRecord& r) {
  constexpr double kLaunchNs = 3000;
  constexpr double kShare = 0.85;
  if (r.copy_bytes_per_second <= 0) return 0;
  return kLaunchNs + static_cast<double>(r.bytes) / (kShare * r.copy_bytes_per_second) * 1e9;
}

ordered_json to_json(const BenchRecord& r) {
  return {{"op", r.op},
          {"bits", r.bits},
          {"activation", r.activation},
          {"rows", r.rows},
          {"cols", r.cols},
          {"batch", r.batch},
          {"threads", r.threads},
          {"kernel", r.kernel},
          {"isa", r.isa},
          {"format_bits_per_weight", measured(r.format_bits_per_weight)},
          {"cold", r.cold},
          {"median_ns", measured(r.median_ns)},
          {"min_ns", measured(r.min_ns)},
          {"bytes", r.bytes},
          {"gb_per_s", measured(gb_per_second(r))},
          {"r4_gb_per_s", measured(r.r4_bytes_per_second / 1e9)},
          {"share", measured(share(r))},
          {"gmac_per_s", measured(gmac_per_second(r))},
          {"exact", r.exact},
          {"rival", r.rival},
          {"format", r.format},
          {"algorithm", r.algorithm},
          {"form", r.form},
          {"k", r.k},
          {"zeros", r.zeros},
          {"residency", r.residency},
          {"whole_call", r.whole_call},
          {"max_ns", measured(r.max_ns)},
          {"repeats", r.repeats},
          {"checked", r.checked},
          {"error_norm", r.error_norm},
          {"dot_peak_gmac_per_s", measured(r.dot_peak_macs / 1e9)},
          {"pair_peak_gmac_per_s", measured(r.pair_peak_macs / 1e9)},
          {"tile_peak_gmac_per_s", measured(r.tile_peak_macs / 1e9)},
          {"fma_peak_gmac_per_s", measured(r.fma_peak_macs / 1e9)},
          {"prepare_seconds", measured(r.prepare_seconds)},
          {"cpu", r.cpu},
          {"error", r.error},
          {"device", r.device.empty() ? "cpu" : r.device},
          {"copy_gb_per_s", measured(r.copy_bytes_per_second / 1e9)},
          {"floor_ns", measured(floor_ns(r))},
          {"graph", r.graph}};
}

std::string csv_header() {
  const ordered_json fields = to_json(BenchRecord());
  std::string line;
  for (const auto& [name, value] : fields.items()) line += (line.empty() ? "" : ",") + name;
  return line;
}

std::string csv_line(const BenchRecord& record) {
  const ordered_json fields = to_json(record);
  std::string line;
  bool first = true;
  for (const auto& [name, value] : fields.items()) {
    line += (first ? "" : ",") + csv_cell(value);
    first = false;
  }
  return line;
}

}  // namespace rsr::cli
