#include "python/context_pool.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>

#include "base/cpu.h"
#include "python/bindings.h"

namespace nb = nanobind;

namespace rsr::python {

ContextPool::ContextPool(int threads, std::string isa, bool pin_threads)
    : threads_(threads),
      isa_(std::move(isa)),
      pin_threads_(pin_threads),
      most_idle_(static_cast<size_t>(std::max(4, base::usable_cores()))) {
  Context first = create();
  threads_ = first.threads();
  isa_ = first.isa();
  warnings_ = first.warnings();
  idle_.emplace_back(std::move(first));
}

Context ContextPool::create() const {
  return value_of(Context::create({.threads = threads_, .isa = isa_, .pin_threads = pin_threads_}));
}

std::optional<ContextPool::Owned> ContextPool::take() {
  while (!idle_.empty()) {
    std::optional<Owned> context(std::move(idle_.back()));
    idle_.pop_back();
    if (context->is_here()) return context;
  }
  return std::nullopt;
}

void ContextPool::give(std::optional<Owned> context) {
  if (context && idle_.size() < most_idle_) idle_.push_back(*std::move(context));
}

void add_context(nb::module_& module) {
  nb::class_<ContextPool>(module, "Context",
                          "Threads, scratch memory and the instruction set of products.\n\n"
                          "threads: 0 is as many as this process may use. isa: a name such as "
                          "'avx2'; empty is\nRSR_FORCE_ISA, else the best of this machine. "
                          "pin_threads: each on a core of its own. One\ncontext serves calls from "
                          "several threads at once. Errors: an unknown or missing isa.")
      .def(
          "__init__",
          [](ContextPool* self, int threads, std::string isa, bool pin_threads) {
            const nb::gil_scoped_release others_may_run;
            new (self) ContextPool(threads, std::move(isa), pin_threads);
          },
          nb::arg("threads") = 0, nb::arg("isa") = "", nb::arg("pin_threads") = false)
      .def_prop_ro("threads", &ContextPool::threads)
      .def_prop_ro("isa", &ContextPool::isa)
      .def_prop_ro("warnings", &ContextPool::warnings)
      .def("__repr__", [](const ContextPool& self) {
        return "Context(threads=" + std::to_string(self.threads()) + ", isa='" + self.isa() + "')";
      });
}

}  // namespace rsr::python
