#include "rsr/perplexity.h"

#include <new>

#include "base/check.h"
#include "engine/engine_impl.h"
#include "engine/measure.h"

namespace rsr {
namespace {

Status check_on_cpu(const Engine& engine) {
  if (engine.impl().device == nullptr) return {};
  return base::error(ErrorCode::invalid_argument,
                     "perplexity is measured on the device cpu, not on ",
                     engine.impl().device->device.describe());
}

Result<Comparison> measure(const Engine& reference, const Engine* other, std::string_view text,
                           const PerplexityOptions& options) {
  RSR_RETURN_IF_ERROR(check_on_cpu(reference));
  if (other != nullptr) RSR_RETURN_IF_ERROR(check_on_cpu(*other));
  try {
    return engine::measure(reference.impl(), other == nullptr ? nullptr : &other->impl(), text,
                           options);
  } catch (const std::bad_alloc&) {
    return base::error(ErrorCode::limit_exceeded, "out of memory");
  }
}

}  // namespace

Result<Perplexity> perplexity(const Engine& engine, std::string_view text,
                              const PerplexityOptions& options) {
  RSR_ASSIGN_OR_RETURN(const Comparison measured, measure(engine, nullptr, text, options));
  return measured.reference;
}

Result<Comparison> compare_models(const Engine& reference, const Engine& other,
                                  std::string_view text, const PerplexityOptions& options) {
  return measure(reference, &other, text, options);
}

}  // namespace rsr
