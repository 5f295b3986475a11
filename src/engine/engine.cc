#include <algorithm>
#include <new>
#include <optional>

#include "base/check.h"
#include "engine/batch_indexes.h"
#include "engine/chat_templates.h"
#include "engine/engine_impl.h"
#include "engine/head.h"
#include "engine/session_impl.h"
#include "model/kv_cache.h"

namespace rsr {
namespace {

// The same list, once for the public and once for the kernels.
static_assert(static_cast<int>(KvCacheType::f32) == static_cast<int>(model::KvType::f32) &&
              static_cast<int>(KvCacheType::f16) == static_cast<int>(model::KvType::f16) &&
              static_cast<int>(KvCacheType::i8) == static_cast<int>(model::KvType::i8));

Status check_memory(int64_t rsr_memory) {
  if (rsr_memory >= 0) return {};
  return base::error(ErrorCode::invalid_argument, "rsr_memory is ", rsr_memory,
                     ", must not be negative");
}

/// The device of the options; nothing for the CPU. What is for the CPU only is refused beside one.
Result<std::optional<cuda::Device>> choose_device(const EngineOptions& options) {
  if (options.device == "cpu") return std::optional<cuda::Device>();
  RSR_ASSIGN_OR_RETURN(cuda::Device device, cuda::Device::open(options.device));
  if (options.rsr_memory == 0) return std::optional(std::move(device));
  return base::error(ErrorCode::invalid_argument, "rsr_memory is for the device cpu, not for ",
                     device.describe());
}

Result<int64_t> choose_context_length(const model::ModelConfig& config, int64_t asked,
                                      model::KvType kv_type) {
  if (asked < 0 || asked > config.max_positions) {
    return base::error(ErrorCode::invalid_argument, "context_length is ", asked,
                       ", must be 0 to the ", config.max_positions,
                       " that the model was trained for");
  }
  const int64_t length = asked == 0 ? config.max_positions : asked;
  // A session reserves its cache when it is first used; whether it can is better known now.
  RSR_ASSIGN_OR_RETURN(const model::KvCache trial, model::KvCache::create(config, length, kv_type));
  return length;
}

Status check_vocabulary(const model::ModelConfig& config, const text::Tokenizer& tokenizer) {
  if (tokenizer.vocab_size() <= config.vocab_size) return {};
  return base::error(ErrorCode::corrupt_data, "tokenizer.json has ", tokenizer.vocab_size(),
                     " ids, config.json a vocab_size of ", config.vocab_size);
}

/// Jinja source of the template that holds; empty when there is none.
Result<std::string> chat_source(const std::string& directory, const std::string& name) {
  return name.empty() ? text::find_chat_template(directory) : engine::named_chat_template(name);
}

Status open_chat(const std::string& directory, const std::string& source, Engine::Impl* impl) {
  if (source.empty()) return {};
  RSR_ASSIGN_OR_RETURN(const text::TemplateTokens tokens, text::find_template_tokens(directory));
  Result<text::ChatTemplate> chat = text::ChatTemplate::from_source(source, tokens);
  if (chat.ok()) {
    impl->chat = std::move(chat).value();
    return {};
  }
  const Status status = chat.status().with_context(directory);
  impl->chat_error =
      status.code() != ErrorCode::unsupported
          ? status
          : base::error(status.code(), status.message(), "; raw prompts are possible",
                        ", or a known template: ", engine::chat_template_list());
  return {};
}

Result<std::shared_ptr<Engine::Impl>> open_impl(const std::string& directory,
                                                const EngineOptions& options) {
  RSR_RETURN_IF_ERROR(check_memory(options.rsr_memory));
  RSR_ASSIGN_OR_RETURN(const std::optional<cuda::Device> device, choose_device(options));
  RSR_ASSIGN_OR_RETURN(Context context, Context::create(options.context));
  // The small files first: their errors come at once.
  RSR_ASSIGN_OR_RETURN(const model::ModelConfig config, model::read_config(directory));
  const auto kv_type = static_cast<model::KvType>(options.kv_cache);
  RSR_ASSIGN_OR_RETURN(const int64_t length,
                       choose_context_length(config, options.context_length, kv_type));
  RSR_ASSIGN_OR_RETURN(text::Tokenizer tokenizer,
                       text::Tokenizer::from_file(directory + "/tokenizer.json"));
  RSR_RETURN_IF_ERROR(check_vocabulary(config, tokenizer).with_context(directory));
  RSR_ASSIGN_OR_RETURN(const std::string source, chat_source(directory, options.chat_template));
  RSR_ASSIGN_OR_RETURN(engine::GenerationConfig generation,
                       engine::read_generation_config(directory, config, tokenizer, source));
  const auto check = options.verify ? model::FileCheck::contents : model::FileCheck::quick;
  RSR_ASSIGN_OR_RETURN(model::Model model, model::load_model(context.impl(), directory, check));
  RSR_RETURN_IF_ERROR(
      engine::add_head_scan(options.head, device.has_value(), context.impl(), &model));
  engine::add_batch_indexes(options, context, &model);
  std::shared_ptr<Engine::Impl> impl(new Engine::Impl{.context = std::move(context),
                                                      .model = std::move(model),
                                                      .tokenizer = std::move(tokenizer),
                                                      .generation = std::move(generation),
                                                      .chat = {},
                                                      .chat_error = {},
                                                      .context_length = length,
                                                      .kv_type = kv_type});
  if (device) {
    RSR_ASSIGN_OR_RETURN(impl->device,
                         model::DeviceModel::upload(impl->context.impl(), *device, impl->model));
    impl->model.head_scan.reset();  // the device has its own
  }
  RSR_RETURN_IF_ERROR(open_chat(directory, source, impl.get()));
  // What was chosen by name must work; what a model brings may be unknown, and raw prompts are
  // left.
  if (!options.chat_template.empty()) RSR_RETURN_IF_ERROR(impl->chat_error);
  return impl;
}

}  // namespace

Result<Engine> Engine::open(const std::string& directory, const EngineOptions& options) {
  try {
    RSR_ASSIGN_OR_RETURN(std::shared_ptr<Impl> impl, open_impl(directory, options));
    return Engine(std::move(impl));
  } catch (const std::bad_alloc&) {
    return base::error(ErrorCode::limit_exceeded, directory, ": out of memory");
  }
}

std::vector<std::string> Engine::chat_template_names() {
  return engine::chat_template_names();
}

std::string Engine::notice() const {
  return impl_->model.notice;
}

Session Engine::session() const {
  return Session(std::make_unique<Session::Impl>(impl_));
}

}  // namespace rsr
