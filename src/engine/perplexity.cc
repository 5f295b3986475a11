#include "rsr/perplexity.h"

#include <new>

#include "base/check.h"
#include "engine/engine_impl.h"
#include "engine/measure.h"

namespace rsr {
namespace {

Result<Comparison> measure(const Engine& reference, const Engine* other, std::string_view text,
                           const PerplexityOptions& options) {
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
