#include "linear/context.h"

#include "base/check.h"
#include "linear/selftest.h"
#include "linear/tune_cache.h"

namespace rsr {

Context::Context(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Context::~Context() = default;
Context::Context(Context&&) noexcept = default;
Context& Context::operator=(Context&&) noexcept = default;

Result<Context> Context::create(const ContextOptions& options) {
  constexpr int kMaxThreads = 1024;
  if (options.threads < 0 || options.threads > kMaxThreads) {
    return base::error(ErrorCode::invalid_argument, "threads: ", options.threads,
                       "; 0 (all that this process may use) to ", kMaxThreads, " are accepted");
  }
  RSR_ASSIGN_OR_RETURN(const base::Isa isa, base::choose_isa(options.isa));
  const int threads = options.threads > 0 ? options.threads : base::usable_cores();
  auto impl = std::make_unique<Impl>(threads, isa, linear::disabled_kernels(isa),
                                     linear::selftest_warnings(isa), options.pin_threads);
  std::string untuned;
  impl->kernels.tuning = linear::tuning_for(isa, &untuned);
  if (!untuned.empty()) impl->warnings.push_back(std::move(untuned));
  return Context(std::move(impl));
}

int Context::threads() const {
  return impl_->pool.threads();
}

std::string Context::isa() const {
  return base::isa_name(impl_->isa);
}

std::vector<std::string> Context::warnings() const {
  return impl_->warnings;
}

}  // namespace rsr
