// What rsr perplexity prints.
#pragma once

#include <string>

#include "rsr/perplexity.h"

namespace rsr::cli {

/// A model as it was measured.
struct MeasuredModel {
  std::string name;  ///< as the user gave it
  std::string isa;
  std::string device;
  KvCacheType kv_cache = KvCacheType::f16;
  int threads = 0;
};

/// One model; `file` is the text's name.
std::string perplexity_json(const std::string& file, const MeasuredModel& model,
                            const Perplexity& result);
std::string perplexity_page(const Perplexity& result);

/// Two of them. JSON has the first one's members where one model alone has them, "against" with
/// those of the other, and "comparison".
std::string comparison_json(const std::string& file, const MeasuredModel& model,
                            const MeasuredModel& other, const Comparison& result);
std::string comparison_page(const MeasuredModel& model, const MeasuredModel& other,
                            const Comparison& result);

}  // namespace rsr::cli
