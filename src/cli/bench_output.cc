#include "cli/bench_output.h"

#include <unistd.h>

#include <cstdio>
#include <sstream>

#include "cli/bench_device_output.h"
#include "cli/print.h"

namespace rsr::cli {
namespace {

/// One product at length.
std::string page(const std::vector<BenchRecord>& records) {
  const BenchRecord& r = records.front();
  std::ostringstream out;
  out << r.cpu << ", " << r.threads << (r.threads == 1 ? " thread" : " threads")
      << ", instruction set " << r.isa << "\n";
  out << r.rows << " x " << r.cols << " " << r.bits << ", batch " << r.batch << ", activations "
      << r.activation << "\n";
  out << r.format << "; " << r.kernel << "\n";
  out << "checked " << r.checked << " results, prepared in ";
  out << print("%.3f s, reading alone %.1f GB/s", r.prepare_seconds, r.r4_bytes_per_second / 1e9);
  if (r.dot_peak_macs > 0) out << print(", registers alone %.0f GMAC/s", r.dot_peak_macs / 1e9);
  if (r.pair_peak_macs > 0) out << print(" (16-bit pairs %.0f)", r.pair_peak_macs / 1e9);
  if (r.tile_peak_macs > 0) out << print(" (tiles %.0f)", r.tile_peak_macs / 1e9);
  out << "\n\n";
  out << print("%-5s %12s %12s %12s %8s %7s %9s\n", "", "median", "least", "most", "GB/s", "share",
               "GMAC/s");
  for (const BenchRecord& record : records) {
    out << print("%-5s %9.1f us %9.1f us %9.1f us %8.2f %6.1f%% %9.1f\n",
                 record.cold ? "cold" : "warm", record.median_ns / 1e3, record.min_ns / 1e3,
                 record.max_ns / 1e3, gb_per_second(record), 100 * share(record),
                 gmac_per_second(record));
  }
  return out.str();
}

std::string table_header(const BenchRecord& r) {
  if (!r.device.empty()) return device_table_header(r);
  return r.cpu + ", instruction set " + r.isa + "\n\n" +
         print("%13s %-7s %5s %-9s %5s %7s %-5s %11s %7s %6s %8s  %s\n", "rows x cols", "bits",
               "zeros", "inputs", "batch", "threads", "", "median", "GB/s", "share", "GMAC/s",
               "product");
}

std::string table_line(const BenchRecord& r) {
  if (!r.device.empty()) return device_table_line(r);
  const std::string shape = std::to_string(r.rows) + " x " + std::to_string(r.cols);
  const std::string form = r.form.empty() ? "" : " " + r.form;
  return print("%13s %-7s %4d%% %-9s %5lld %7d %-5s %8.1f us %7.2f %5.1f%% %8.1f  ", shape.c_str(),
               r.bits.c_str(), r.zeros, r.activation.c_str(), static_cast<long long>(r.batch),
               r.threads, r.cold ? "cold" : "warm", r.median_ns / 1e3, gb_per_second(r),
               100 * share(r), gmac_per_second(r)) +
         r.algorithm + form + ": " + r.format + "\n";
}

}  // namespace

bool BenchWriter::write(const std::vector<BenchRecord>& records) {
  std::string text;
  if (format_ == BenchFormat::page) text = (begun_ ? "\n" : "") + page(records);
  if (format_ == BenchFormat::table && !begun_) text = table_header(records.front());
  if (format_ == BenchFormat::csv && !begun_) text = csv_header() + "\n";
  for (const BenchRecord& record : records) {
    if (format_ == BenchFormat::json) text += (begun_ ? ",\n" : "[\n") + to_json(record).dump(2);
    if (format_ == BenchFormat::csv) text += csv_line(record) + "\n";
    if (format_ == BenchFormat::table) text += table_line(record);
    begun_ = true;
  }
  return output_.write(text);
}

Status BenchWriter::finish() {
  if (format_ == BenchFormat::json && begun_) output_.write("\n]\n");
  return output_.status();
}

Progress::Progress(size_t total) : total_(total), terminal_(::isatty(STDERR_FILENO) == 1) {}

void Progress::show(size_t done, const std::string& what) const {
  if (!terminal_ || total_ < 2) return;
  std::fprintf(stderr, "\r\033[K%zu/%zu %s", done + 1, total_, what.c_str());
  std::fflush(stderr);
}

void Progress::clear() const {
  if (terminal_ && total_ > 1) std::fputs("\r\033[K", stderr);
}

}  // namespace rsr::cli
