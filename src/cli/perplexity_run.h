// rsr perplexity: what its flags mean, and the work.
#pragma once

#include <optional>
#include <string>

#include "rsr/perplexity.h"

namespace rsr::cli {

/// One of the two models, as the flags describe it.
struct Subject {
  std::string model;
  std::string isa;             ///< empty: this machine's best
  std::string device = "cpu";  ///< or "cuda", "cuda:1"
  KvCacheType kv_cache = KvCacheType::f16;
};

struct PerplexityFlags {
  Subject first;
  std::string file;
  std::optional<std::string> against;
  std::optional<std::string> against_isa;
  std::optional<std::string> against_device;
  std::optional<KvCacheType> against_kv;
  EngineOptions engine;
  PerplexityOptions measure;
  bool json = false;

  bool compares() const { return against || against_isa || against_device || against_kv; }
  Subject second() const {
    return {against.value_or(first.model), against_isa.value_or(first.isa),
            against_device.value_or(first.device), against_kv.value_or(first.kv_cache)};
  }
};

/// Measures, prints, gives the exit code.
int run_perplexity(PerplexityFlags flags);

}  // namespace rsr::cli
