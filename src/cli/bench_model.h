// rsr bench model: how fast a model reads prompts and answers, and how fast it could.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/stage_timer.h"
#include "rsr/engine.h"
#include "rsr/status.h"

namespace rsr::cli {

struct ModelBenchOptions {
  std::string model;                   // a directory, or an id of the hub
  std::string shape;                   // or one of model::shape_names(): random weights
  EngineOptions engine = {};           // threads, cache, head; not its context length
  std::vector<int64_t> contexts = {};  // empty: 128, 1024, 4096 as far as the model goes
  std::vector<int64_t> prompts = {};   // empty: 32, 128, 512 as far as the model goes
  std::vector<int64_t> guesses = {};   // read behind a token at the first context; empty: 1, 3, 7
  int repeats = 20;                    // timed tokens at each context
  int prompt_repeats = 3;              // timed readings of each prompt
};

/// What a record tells of: a prompt, a new token, or a new token with guesses behind it.
enum class ModelStep { prefill, decode, verify };

/// One prompt length, one context length, or one number of guesses.
struct ModelBenchRecord {
  ModelStep step = ModelStep::prefill;
  std::string shape;  // or the model's name
  bool synthetic = false;
  int threads = 0;
  int64_t context = 0;  // tokens of the prompt; or those that a new one attends to, itself included
  int64_t guesses = 0;
  double median_seconds = 0;  // of a token; of the whole prompt; of the pass over all guesses
  double min_seconds = 0;
  double max_seconds = 0;
  int repeats = 0;
  double bytes_per_token = 0;              // that a new token reads; 0 for prompts
  double r4_bytes_per_second = 0;          // pure reading in the same run, with the same threads
  double copy_bytes_per_second = 0;        // instead, on a device: copies in its memory, both ways
  double gemm_seconds = 0;                 // of a prompt's products by themselves; 0: not all int8
  model::StageSeconds stage_seconds = {};  // the median of each
  bool head_scanned = false;
  double head_candidates = 0;  // the mean; 0 without a scan
  double load_seconds = 0;
  int64_t peak_rss_bytes = 0;  // without the block that is read to find the bandwidth
  std::string kv;
  std::string format;  // of the layers' matrices
  std::string isa;
  std::string cpu;
  std::string device;  // where tokens go through the model; empty: the CPU
};

struct ModelSubject;
class ModelOnDevice;

/// Reads each of the prompts, then decodes at each of the contexts, whose keys and values are
/// random or, on a device, those of some tokens. The bandwidth is measured between the steps.
/// `device`: the subject's model, or null for the CPU. Errors: no memory; what the device reports.
Result<std::vector<ModelBenchRecord>> bench_model(const ModelBenchOptions& options,
                                                  const ModelSubject& subject,
                                                  ModelOnDevice* device = nullptr);

}  // namespace rsr::cli
