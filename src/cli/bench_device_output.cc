#include "cli/bench_device_output.h"

#include "cli/print.h"

namespace rsr::cli {

std::string device_table_header(const BenchRecord& r) {
  return r.device + ", " + r.isa +
         "; times of a product within a graph of many\n"
         "copies: bandwidth of copies in its memory, bytes read and written; share: GB/s of packed "
         "weights by that\n"
         "floor: 3 us + packed bytes at 85% of that bandwidth\n\n" +
         print("%13s %-7s %-9s %5s %-5s %10s %10s %8s %6s %8s %9s  %s\n", "rows x cols", "bits",
               "inputs", "batch", "", "median", "floor", "GB/s", "share", "copies", "GMAC/s",
               "product");
}

std::string device_table_line(const BenchRecord& r) {
  const std::string shape = std::to_string(r.rows) + " x " + std::to_string(r.cols);
  return print("%13s %-7s %-9s %5lld %-5s %7.2f us %7.2f us %8.1f %5.1f%% %8.1f %9.0f  ",
               shape.c_str(), r.bits.c_str(), r.activation.c_str(), static_cast<long long>(r.batch),
               r.cold ? "cold" : "warm", r.median_ns / 1e3, floor_ns(r) / 1e3, gb_per_second(r),
               100 * share(r), r.copy_bytes_per_second / 1e9, gmac_per_second(r)) +
         r.kernel + ": " + r.format + "\n";
}

}  // namespace rsr::cli
