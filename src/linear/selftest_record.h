// The self-test's result, kept in the cache directory:
//
//   {"format": 1, "cpu": "...", "version": "0.1.0", "isas": ["reference", ...],
//    "kernels": "<16 hex digits>",       a hash of kernel_names()
//    "failures": [{"kernel": "...", "verdict": "fault", "signal": 4}]}
//
// A record of another processor, library or list of kernels, and one that says anything else than
// this, counts as none.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "linear/selftest.h"

namespace rsr::linear {

inline constexpr const char* kSelftestFile = "selftest.json";

/// The names of kernel_cases() in their order, without preparing the cases.
std::vector<std::string> kernel_names();

/// The record of these results for this machine and library, as text.
std::string selftest_record(std::span<const SelftestResult> results);

/// The failures in a record; nothing when it is not one of this machine and library.
std::optional<std::vector<SelftestResult>> parse_selftest_record(std::string_view text);

/// The same with the file in the cache directory. What cannot be written is not remembered, nor is
/// a run in which a kernel could not be tried.
std::optional<std::vector<SelftestResult>> recall_selftest();
void remember_selftest(std::span<const SelftestResult> results);

}  // namespace rsr::linear
