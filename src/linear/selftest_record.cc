#include "linear/selftest_record.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/file.h"
#include "base/json.h"
#include "kernels/attention/list.h"
#include "kernels/dense/list.h"
#include "kernels/gemm/list.h"
#include "kernels/gemm_gray/list.h"
#include "kernels/gemm_tables/list.h"
#include "kernels/lanes/list.h"
#include "kernels/matvec/list.h"
#include "kernels/quantize/list.h"
#include "kernels/scan/list.h"
#include "kernels/slices/list.h"
#include "kernels/tables/list.h"
#include "linear/cache_dir.h"
#include "rsr/version.h"

namespace rsr::linear {
namespace {

using base::Json;

constexpr size_t kLimit = size_t{64} << 10;

template <class List>
void add_names(const List& list, std::vector<std::string>& names) {
  for (const auto& kernel : list) {
    if (base::has_isa(kernel.isa)) names.emplace_back(kernel.name);
  }
}

/// FNV-1a of the names, each with its end, in hexadecimal.
std::string hash_of(const std::vector<std::string>& names) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const std::string& name : names) {
    for (size_t i = 0; i <= name.size(); ++i) {
      hash = (hash ^ static_cast<unsigned char>(name.c_str()[i])) * 0x100000001b3u;
    }
  }
  std::array<char, 16> digits{};
  const auto end = std::to_chars(digits.begin(), digits.end(), hash, 16).ptr;
  return std::string(static_cast<size_t>(digits.end() - end), '0') +
         std::string(digits.begin(), end);
}

/// What a record must say to be about this machine and library.
Json key_of(const std::vector<std::string>& names) {
  Json isas = Json::array();
  for (const base::Isa isa : base::kAllIsas) {
    if (base::has_isa(isa)) isas.push_back(base::isa_name(isa));
  }
  return {{"format", 1},
          {"cpu", base::cpu_name()},
          {"version", version()},
          {"isas", isas},
          {"kernels", hash_of(names)}};
}

std::optional<SelftestResult> parse_failure(const Json& entry,
                                            const std::vector<std::string>& names) {
  if (!entry.is_object() || entry.size() != 3) return std::nullopt;
  const auto kernel = base::json_require_string(entry, "kernel");
  const auto verdict = base::json_require_string(entry, "verdict");
  const auto signal = base::json_require_int(entry, "signal");
  if (!kernel.ok() || !verdict.ok() || !signal.ok()) return std::nullopt;
  if (std::find(names.begin(), names.end(), *kernel) == names.end()) return std::nullopt;
  if (*signal < 0 || *signal > 64) return std::nullopt;
  for (const Verdict known : {Verdict::wrong, Verdict::fault, Verdict::hang}) {
    if (*verdict == verdict_name(known)) {
      return SelftestResult{*kernel, known, static_cast<int>(*signal)};
    }
  }
  return std::nullopt;
}

}  // namespace

std::vector<std::string> kernel_names() {
  std::vector<std::string> names;
  add_names(kernels::kMatvecI8, names);
  add_names(kernels::kGemmI8, names);
  add_names(kernels::kGemmTablesI8, names);
  add_names(kernels::kGemmGrayI8, names);
  add_names(kernels::kGemmGrayF32, names);
  add_names(kernels::kMatvecF32, names);
  add_names(kernels::kGemmTablesF32, names);
  add_names(kernels::kMatvecGroupsI8, names);
  add_names(kernels::kMatvecGroupsF32, names);
  add_names(kernels::kLanesI8, names);
  add_names(kernels::kLanesF32, names);
  add_names(kernels::kSlicesI32, names);
  add_names(kernels::kSlicesF32, names);
  add_names(kernels::kTablesT3F32, names);
  add_names(kernels::kTablesB1F32, names);
  add_names(kernels::kQuantizeI8, names);
  add_names(kernels::kDenseBf16F32, names);
  add_names(kernels::kDenseF16F32, names);
  add_names(kernels::kScanI8, names);
  add_names(kernels::kAttend, names);
  add_names(kernels::kMergeStates, names);
  add_names(kernels::kKvAppend, names);
  return names;
}

std::string selftest_record(std::span<const SelftestResult> results) {
  Json record = key_of(kernel_names());
  record["failures"] = Json::array();
  for (const SelftestResult& result : results) {
    if (!result.failed()) continue;
    record["failures"].push_back({{"kernel", result.kernel},
                                  {"verdict", verdict_name(result.verdict)},
                                  {"signal", result.signal}});
  }
  // A processor's name comes from outside: bytes that are no UTF-8 must not throw.
  return record.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::optional<std::vector<SelftestResult>> parse_selftest_record(std::string_view text) {
  const auto record = base::parse_json(text, kSelftestFile);
  if (!record.ok() || !record->is_object()) return std::nullopt;
  const std::vector<std::string> names = kernel_names();
  const Json key = key_of(names);
  if (record->size() != key.size() + 1) return std::nullopt;
  for (const auto& [name, value] : key.items()) {
    const Json* found = base::json_find(*record, name.c_str());
    if (found == nullptr || *found != value) return std::nullopt;
  }
  const Json* list = base::json_find(*record, "failures");
  if (list == nullptr || !list->is_array()) return std::nullopt;
  std::vector<SelftestResult> failures;
  for (const Json& entry : *list) {
    auto failure = parse_failure(entry, names);
    if (!failure) return std::nullopt;
    failures.push_back(*std::move(failure));
  }
  return failures;
}

std::optional<std::vector<SelftestResult>> recall_selftest() {
  const auto folder = cache_dir();
  if (!folder) return std::nullopt;
  const auto text = base::read_file(*folder + "/" + kSelftestFile, kLimit);
  if (!text.ok()) return std::nullopt;
  return parse_selftest_record(*text);
}

void remember_selftest(std::span<const SelftestResult> results) {
  const auto folder = cache_dir();
  const bool complete = std::none_of(results.begin(), results.end(), [](const SelftestResult& r) {
    return r.verdict == Verdict::unknown;
  });
  if (!folder || !complete) return;
  // A folder that cannot be written is no error: the next process tries again.
  (void)write_cache_file(*folder, kSelftestFile, selftest_record(results));
}

}  // namespace rsr::linear
