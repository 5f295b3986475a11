// One measurement as data, and how it is written: JSON and CSV have the same fields in the same
// order. The rivals' programs (bench/rivals) write their measurements with it as well.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

namespace rsr::cli {

/// Rates that follow from others are not held: gb_per_s, share, gmac_per_s, floor_ns.
struct BenchRecord {
  std::string op = "matvec";
  std::string bits;
  std::string activation;
  int64_t rows = 0;
  int64_t cols = 0;
  int64_t batch = 0;
  int threads = 0;
  std::string kernel;
  std::string isa;
  double format_bits_per_weight = 0;
  bool cold = false;
  double median_ns = 0;
  double min_ns = 0;
  double max_ns = 0;
  int64_t bytes = 0;               // packed weights
  double r4_bytes_per_second = 0;  // pure reading in the same run, with the same threads
  bool exact = false;              // integers, compared for equality
  std::string rival;               // empty: this project's best; else whose product it is
  std::string format;
  std::string algorithm;
  std::string form;        // of RSR
  int k = 0;               // of RSR; 0: chosen
  int zeros = 0;           // percent of the weights
  std::string residency;   // what the weights were prepared for
  bool whole_call = true;  // floats in, floats out
  int repeats = 0;
  int64_t checked = 0;        // results compared with the plain product
  double error_norm = 0;      // of the results' difference, relative to their norm
  double dot_peak_macs = 0;   // int8 multiply-adds per second from registers; 0: unknown
  double pair_peak_macs = 0;  // the same in pairs of 16 bits; 0: it has a dot product
  double tile_peak_macs = 0;  // the same with tiles (AMX); 0: none
  double fma_peak_macs = 0;   // the same for fp32
  double prepare_seconds = 0;
  std::string cpu;
  std::string error;  // what went wrong; times are then 0
  // Of products on a device, which are on no threads of the CPU: threads and its rates are 0.
  std::string device;  // "cuda:0, NVIDIA H200"; empty: the CPU
  double copy_bytes_per_second =
      0;          // of copies in its memory in the same run, reads and writes counted
  int graph = 0;  // products of the captured graph that was timed
};

double gmac_per_second(const BenchRecord& record);
double gb_per_second(const BenchRecord& record);
/// Of the read bandwidth or, on a device, of that of copies; 0 when that was not measured.
double share(const BenchRecord& record);
/// What a product on a device may take: 3 us, and reading its weights at 85% of the bandwidth of
/// copies; 0 on the CPU.
double floor_ns(const BenchRecord& record);

/// Numbers that were not measured are null.
nlohmann::ordered_json to_json(const BenchRecord& record);

/// The names of the fields, separated by commas.
std::string csv_header();
/// One line; strings with commas are quoted, numbers that were not measured are empty.
std::string csv_line(const BenchRecord& record);

}  // namespace rsr::cli
