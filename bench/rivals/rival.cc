#include "rivals/rival.h"

#include <sched.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "base/cpu.h"
#include "base/thread_pool.h"
#include "cli/bench_problem.h"
#include "cli/bench_record.h"
#include "cli/read_bandwidth.h"
#include "cli/timing.h"

namespace rsr::rivals {
namespace {

constexpr int kReadSamples = 10;
constexpr int64_t kColdBytes = int64_t{640} << 20;

/// Pure reading, in memory and with threads that are gone afterwards: a rival needs both.
void read_alone(const Options& o, cli::ReadSamples& samples) {
  base::ThreadPool pool(o.threads, o.pin);
  cli::ReadBandwidth read(o.cold_bytes);
  for (int i = 0; i < kReadSamples; ++i) samples.add(read.sample(pool));
}

/// Every thread but the caller's stays on a core of its own, from the second one that this process
/// may use on: the rule of base::ThreadPool, for the threads of whatever library. Libraries make
/// them for the first product and keep them.
void pin_workers() {
  std::set<pid_t> workers;  // in the order in which they were made
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    workers.insert(std::stoi(task.path().filename()));
  }
  workers.erase(::getpid());
  const std::vector<int> cpus = base::allowed_cpus();
  size_t place = 0;
  for (const pid_t worker : workers) {
    const int cpu = cpus[++place % cpus.size()];
    cpu_set_t* set = CPU_ALLOC(cpu + 1);
    const size_t bytes = CPU_ALLOC_SIZE(cpu + 1);
    CPU_ZERO_S(bytes, set);
    CPU_SET_S(static_cast<size_t>(cpu), bytes, set);
    const bool pinned = ::sched_setaffinity(worker, bytes, set) == 0;
    CPU_FREE(set);
    if (!pinned) throw std::runtime_error("a thread cannot be pinned to a core");
  }
}

/// Relative error of the first and the last vector's results against the plain product.
double error_norm(const Options& o, const std::vector<int8_t>& w, bool signs,
                  const std::vector<float>& x, const std::vector<float>& y) {
  double difference = 0;
  double norm = 0;
  for (const int64_t t : {int64_t{0}, o.batch - 1}) {
    for (int64_t r = 0; r < o.rows; ++r) {
      double sum = 0;
      for (int64_t c = 0; c < o.cols; ++c) {
        const double weight = w[r * o.cols + c];
        sum += (signs ? 2 * weight - 1 : weight) * static_cast<double>(x[t * o.cols + c]);
      }
      const double off = y[t * o.rows + r] - sum;
      difference += off * off;
      norm += sum * sum;
    }
  }
  return norm > 0 ? std::sqrt(difference / norm) : 0;
}

cli::BenchRecord timed(cli::BenchRecord record, const cli::Timings& timings, bool cold) {
  record.cold = cold;
  record.median_ns = timings.median() * 1e9;
  record.min_ns = timings.least() * 1e9;
  record.max_ns = timings.most() * 1e9;
  return record;
}

std::vector<cli::BenchRecord> measure(Options o, const Factory& factory) {
  if (o.cold_bytes == 0) o.cold_bytes = std::max(kColdBytes, 2 * base::last_level_cache_bytes());
  cli::ReadSamples samples;
  read_alone(o, samples);
  const auto w = cli::random_matrix(shape_of(o));
  const auto x = cli::random_inputs(o.batch * o.cols);
  std::vector<float> y(o.batch * o.rows);
  std::unique_ptr<Rival> rival = factory(o, w);
  rival->multiply(0, x.data(), y.data());
  if (o.pin) pin_workers();
  const Description about = rival->description();
  cli::BenchRecord record = describe(o, about, rival->nbytes());
  if (!check(o, w, about, x, y, &record)) return {record};
  size_t copies = 1;
  for (; static_cast<int64_t>(copies) * rival->nbytes() < o.cold_bytes; ++copies) rival->add_copy();
  const auto time = [&](size_t count) {
    return cli::time_calls(
        o.repeats, [] {},
        [&](int i) { rival->multiply(static_cast<size_t>(i) % count, x.data(), y.data()); });
  };
  std::vector<cli::BenchRecord> records = {timed(record, time(copies), true),
                                           timed(record, time(1), false)};
  rival.reset();  // its memory is not needed beside the block that is read
  read_alone(o, samples);
  for (cli::BenchRecord& r : records) r.r4_bytes_per_second = samples.bytes_per_second();
  return records;
}

}  // namespace

cli::MatrixShape shape_of(const Options& o) {
  const bool is_binary = o.bits == "binary";
  return {o.rows, o.cols, is_binary, is_binary ? 50 : o.zeros};
}

cli::BenchRecord describe(const Options& o, const Description& about, int64_t nbytes) {
  cli::BenchRecord r;
  r.bits = o.bits;
  r.activation = about.activation;
  r.rows = o.rows;
  r.cols = o.cols;
  r.batch = o.batch;
  r.threads = o.threads;
  r.kernel = about.kernel;
  r.isa = about.isa;
  r.bytes = nbytes;
  r.format_bits_per_weight =
      8.0 * static_cast<double>(nbytes) / static_cast<double>(o.rows * o.cols);
  r.rival = about.name;
  r.format = about.format;
  r.zeros = shape_of(o).zeros;
  r.repeats = o.repeats;
  r.cpu = base::cpu_name();
  return r;
}

bool check(const Options& o, const std::vector<int8_t>& w, const Description& about,
           const std::vector<float>& x, const std::vector<float>& y, cli::BenchRecord* record) {
  record->error_norm = error_norm(o, w, about.signs, x, y);
  record->checked = std::min<int64_t>(o.batch, 2) * o.rows;
  if (record->error_norm <= about.tolerance) return true;
  record->error = "wrong result: relative error " + std::to_string(record->error_norm);
  return false;
}

int run_rival(int argc, char** argv, const std::vector<std::string>& variants,
              const Factory& factory) {
  return run_program(argc, argv, variants, [&](const Options& o) { return measure(o, factory); });
}

int run_program(int argc, char** argv, const std::vector<std::string>& variants,
                const Measure& measured) {
  Options o;
  o.variant = variants.front();
  CLI::App app("One product of a rival, as JSON");
  app.add_option("--rows", o.rows)->check(CLI::PositiveNumber);
  app.add_option("--cols", o.cols)->check(CLI::PositiveNumber);
  app.add_option("--batch", o.batch)->check(CLI::PositiveNumber);
  app.add_option("--threads", o.threads)->check(CLI::Range(1, 1024));
  app.add_option("--bits", o.bits)->check(CLI::IsMember({"ternary", "binary"}));
  app.add_option("--zeros", o.zeros)->check(CLI::Range(0, 100));
  app.add_option("--variant", o.variant)->check(CLI::IsMember(variants));
  app.add_option("--repeats", o.repeats)->check(CLI::PositiveNumber);
  app.add_option("--cold-bytes", o.cold_bytes)->check(CLI::PositiveNumber);
  app.add_flag("--pin", o.pin);
  CLI11_PARSE(app, argc, argv);
  try {
    auto all = nlohmann::ordered_json::array();
    bool wrong = false;
    for (const auto& record : measured(o)) {
      all.push_back(cli::to_json(record));
      wrong = wrong || !record.error.empty();
    }
    std::printf("%s\n", all.dump(2).c_str());
    return wrong ? 1 : 0;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "error: %s\n", e.what());
    return 1;
  }
}

void restart_with(char** argv, const std::vector<std::pair<std::string, std::string>>& variables) {
  bool missing = false;
  for (const auto& [name, value] : variables) {
    if (std::getenv(name.c_str()) != nullptr) continue;
    ::setenv(name.c_str(), value.c_str(), 0);
    missing = true;
  }
  if (missing) ::execv("/proc/self/exe", argv);  // comes back only when it failed
}

std::string threads_flag(int argc, char** argv) {
  for (int i = 1; i + 1 < argc; ++i) {
    if (std::string(argv[i]) == "--threads") return argv[i + 1];
  }
  return "1";
}

}  // namespace rsr::rivals
