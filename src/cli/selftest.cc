// rsr selftest: every kernel that this machine can run, tried in a process of its own.
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/cpu.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "linear/selftest_record.h"

namespace rsr::cli {
namespace {

using linear::SelftestResult;
using linear::Verdict;

std::string result_text(const SelftestResult& result) {
  std::string text = linear::verdict_name(result.verdict);
  if (result.verdict == Verdict::fault) text += " (signal " + std::to_string(result.signal) + ")";
  return text;
}

std::string table(const std::vector<SelftestResult>& results) {
  size_t width = 6;
  for (const SelftestResult& result : results) width = std::max(width, result.kernel.size());
  const auto line = [width](const std::string& kernel, const std::string& result) {
    return kernel + std::string(width - kernel.size() + 2, ' ') + result + "\n";
  };
  std::string text = base::cpu_name() + "\n\n" + line("kernel", "result");
  for (const SelftestResult& result : results) text += line(result.kernel, result_text(result));
  return text;
}

std::string json(const std::vector<SelftestResult>& results, bool passed) {
  nlohmann::ordered_json kernels = nlohmann::ordered_json::array();
  for (const SelftestResult& result : results) {
    kernels.push_back({{"kernel", result.kernel},
                       {"result", linear::verdict_name(result.verdict)},
                       {"signal", result.signal}});
  }
  const nlohmann::ordered_json all = {
      {"cpu", base::cpu_name()}, {"passed", passed}, {"kernels", kernels}};
  return all.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

/// Tries all again whatever is remembered, and remembers the new results.
int selftest(bool as_json) {
  const std::vector<SelftestResult> results = linear::selftest(linear::kernel_cases());
  linear::remember_selftest(results);
  const bool passed = std::all_of(results.begin(), results.end(), [](const SelftestResult& r) {
    return r.verdict == Verdict::right;
  });
  Output output;
  output.write(as_json ? json(results, passed) : table(results));
  if (!output.status().ok()) return fail(output.status());
  return passed ? kOk : kFailed;
}

}  // namespace

void add_selftest(CLI::App& app, Action& action) {
  const auto as_json = std::make_shared<bool>(false);
  CLI::App* command = app.add_subcommand(
      "selftest", "Try every kernel that this processor claims to run; exit code 1 if one fails");
  command->footer(
      "Each kernel runs in a process of its own: right, wrong, fault (a signal) or hang. The same\n"
      "happens by itself the first time; kernels that fail are not used, and a warning says so.\n"
      "The outcome is kept in selftest.json in RSR_CACHE_DIR (else XDG_CACHE_HOME/rsr, else\n"
      "~/.cache/rsr).");
  command->add_flag("--json", *as_json, "One JSON object");
  command->callback([as_json, &action] { action = [as_json] { return selftest(*as_json); }; });
}

}  // namespace rsr::cli
