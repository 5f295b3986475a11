#include "python/context_pool.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>
#include <unistd.h>

#include <algorithm>

#include "base/cpu.h"
#include "python/bindings.h"

namespace nb = nanobind;

namespace rsr::python {

ContextPool::ContextPool(int threads, std::string isa, bool pin_threads)
    : threads_(threads), isa_(std::move(isa)), pin_threads_(pin_threads), process_(::getpid()) {
  std::unique_ptr<Context> first = create();
  threads_ = first->threads();
  isa_ = first->isa();
  warnings_ = first->warnings();
  most_idle_ = static_cast<size_t>(std::max(4, base::usable_cores()));
  idle_.push_back(std::move(first));
}

ContextPool::~ContextPool() {
  forget_if_forked();
}

std::unique_ptr<Context> ContextPool::create() const {
  return std::make_unique<Context>(
      value_of(Context::create({.threads = threads_, .isa = isa_, .pin_threads = pin_threads_})));
}

std::unique_ptr<Context> ContextPool::take() {
  forget_if_forked();
  if (idle_.empty()) return nullptr;
  std::unique_ptr<Context> context = std::move(idle_.back());
  idle_.pop_back();
  return context;
}

void ContextPool::give(std::unique_ptr<Context> context) {
  if (context != nullptr && idle_.size() < most_idle_) idle_.push_back(std::move(context));
}

void ContextPool::forget_if_forked() {
  if (process_ == ::getpid()) return;
  for (auto& context : idle_) static_cast<void>(context.release());
  idle_.clear();
  process_ = ::getpid();
}

void add_context(nb::module_& module) {
  nb::class_<ContextPool>(module, "Context")
      .def(
          "__init__",
          [](ContextPool* self, int threads, std::string isa, bool pin_threads) {
            const nb::gil_scoped_release others_may_run;
            new (self) ContextPool(threads, std::move(isa), pin_threads);
          },
          nb::arg("threads"), nb::arg("isa"), nb::arg("pin_threads"))
      .def_prop_ro("threads", &ContextPool::threads)
      .def_prop_ro("isa", &ContextPool::isa)
      .def_prop_ro("warnings", &ContextPool::warnings);
}

}  // namespace rsr::python
