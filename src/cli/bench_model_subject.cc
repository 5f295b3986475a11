#include "cli/bench_model_subject.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/check.h"
#include "base/memory_use.h"
#include "cli/bench_matvec.h"
#include "cli/bench_output.h"
#include "cli/model_dir.h"
#include "cli/timing.h"
#include "engine/batch_indexes.h"
#include "engine/head.h"
#include "model/synthetic.h"

namespace rsr::cli {
namespace {

using base::error;
using model::Model;
using model::ModelConfig;
using Lengths = std::vector<int64_t>;

constexpr uint64_t kSeed = 1;

/// The lengths asked for, or of the usual ones those that the model takes.
Result<Lengths> lengths(const char* flag, const Lengths& asked, Lengths usual, int64_t most) {
  for (const int64_t length : asked) {
    if (length < 1 || length > most) {
      return error(ErrorCode::invalid_argument, flag, ": ", length, " must be 1 to the ", most,
                   " positions that the model was trained for");
    }
  }
  if (!asked.empty()) return asked;
  std::erase_if(usual, [=](int64_t length) { return length > most; });
  if (usual.empty()) usual.push_back(most);
  return usual;
}

/// An error when more memory is needed than there is: Linux would promise it and then end some
/// process, maybe another one. Of a model in files the weights are not counted: most are mapped.
Status check_memory(const ModelBenchOptions& o, const ModelConfig& c, base::Isa isa,
                    int64_t positions) {
  const int64_t scan = o.engine.head == HeadMethod::full ? 0 : c.vocab_size * c.hidden_size;
  const int64_t per_token = 4 * (2 * c.hidden_size + 2 * c.q_dim() + 2 * c.intermediate_size);
  const int64_t weights = o.shape.empty() ? 0 : model::synthetic_bytes(c, isa);
  const int64_t needed = weights + scan + o.engine.rsr_memory +
                         positions * model::KvCache::bytes_per_position(c, kv_type(o)) +
                         model::kTile * per_token + default_cold_bytes();
  const int64_t available = base::available_memory_bytes();
  if (available == 0 || needed <= available) return {};
  const auto gigabytes = [](int64_t bytes) {
    const int64_t hundredths = bytes / 10'000'000;
    return static_cast<double>(hundredths) / 100;
  };
  return error(ErrorCode::limit_exceeded, o.shape.empty() ? o.model : o.shape, " needs ",
               gigabytes(needed), " GB of memory with this context; ", gigabytes(available),
               " GB are available");
}

Result<Model> load(const ModelBenchOptions& o, const std::string& directory,
                   const ModelConfig& config, const Context& context) {
  const auto check = o.engine.verify ? model::FileCheck::contents : model::FileCheck::quick;
  RSR_ASSIGN_OR_RETURN(Model model, o.shape.empty()
                                        ? model::load_model(context.impl(), directory, check)
                                        : model::synthetic_model(context.impl(), config, kSeed));
  const bool on_device = o.engine.device != "cpu";
  RSR_RETURN_IF_ERROR(engine::add_head_scan(o.engine.head, on_device, context.impl(), &model));
  engine::add_batch_indexes(o.engine, context, &model);
  return model;
}

}  // namespace

int64_t ModelSubject::positions() const {
  return std::max({longest(prompts), longest(contexts), 1 + longest(guesses)});
}

model::KvType kv_type(const ModelBenchOptions& o) {
  return static_cast<model::KvType>(o.engine.kv_cache);
}

int64_t longest(const Lengths& lengths) {
  return *std::max_element(lengths.begin(), lengths.end());
}

Result<ModelSubject> open_subject(const ModelBenchOptions& o) {
  std::string directory;
  if (o.shape.empty()) {
    RSR_ASSIGN_OR_RETURN(directory, model_directory(o.model));
  }
  RSR_ASSIGN_OR_RETURN(Context context, Context::create(o.engine.context));
  RSR_ASSIGN_OR_RETURN(const ModelConfig config, o.shape.empty() ? model::read_config(directory)
                                                                 : model::shape_config(o.shape));
  const int64_t most = config.max_positions;
  RSR_ASSIGN_OR_RETURN(Lengths prompts, lengths("--prompts", o.prompts, {32, 128, 512}, most));
  RSR_ASSIGN_OR_RETURN(Lengths contexts,
                       lengths("--contexts", o.contexts, {128, 1024, 4096}, most));
  RSR_ASSIGN_OR_RETURN(Lengths guesses, lengths("--guesses", o.guesses, {1, 3, 7}, most - 1));
  const int64_t positions = std::max({longest(prompts), longest(contexts), 1 + longest(guesses)});
  RSR_RETURN_IF_ERROR(check_memory(o, config, context.impl().isa, positions));
  const Progress progress(1 + prompts.size() + contexts.size() + guesses.size());
  progress.show(0, o.shape.empty() ? "loading" : "making random weights");
  const double begin = now_seconds();
  Result<Model> model = load(o, directory, config, context);
  const double seconds = now_seconds() - begin;
  progress.clear();
  if (!model.ok()) return model.status();
  return ModelSubject{std::move(context),  std::move(model).value(), std::move(prompts),
                      std::move(contexts), std::move(guesses),       seconds};
}

}  // namespace rsr::cli
