// What rsr bench model prints.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/bench_model.h"

namespace rsr::cli {

/// Tokens per second that were measured.
double tokens_per_second(const ModelBenchRecord& record);
/// New tokens per second if nothing took time but reading the bytes; 0 for prompts, which read
/// every weight once for many tokens.
double roofline_tokens_per_second(const ModelBenchRecord& record);
/// Of the roofline; 0 for prompts.
double share(const ModelBenchRecord& record);

/// What a prompt's products would take by themselves, of the time that the prompt took; 0 for
/// others.
double gemm_share(const ModelBenchRecord& record);

/// Numbers that were not measured are null.
nlohmann::ordered_json to_json(const ModelBenchRecord& record);

/// All records of one run, for people.
std::string model_page(const std::vector<ModelBenchRecord>& records);

}  // namespace rsr::cli
