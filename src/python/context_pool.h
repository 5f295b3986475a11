// Contexts for callers that come from several Python threads at once.
#pragma once

#include <nanobind/nanobind.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "python/errors.h"
#include "python/own_process.h"
#include "rsr/linear.h"

namespace rsr::python {

/// Contexts of one kind, as many as there are calls at once: a Context lets its callers wait for
/// each other, and here each has its own. The interpreter's lock guards the list.
class ContextPool {
 public:
  ContextPool(int threads, std::string isa, bool pin_threads);
  ContextPool(const ContextPool&) = delete;
  ContextPool& operator=(const ContextPool&) = delete;

  int threads() const { return threads_; }
  const std::string& isa() const { return isa_; }
  const std::vector<std::string>& warnings() const { return warnings_; }

  /// What work(context) returns, called without the interpreter's lock.
  template <class Work>
  auto run(const Work& work) {
    std::optional<Owned> context = take();
    struct Return {
      ContextPool* pool;
      std::optional<Owned>* context;
      ~Return() { pool->give(std::move(*context)); }
    } const give_back{this, &context};
    const nanobind::gil_scoped_release others_may_run;
    if (!context) context.emplace(create());
    return work(std::as_const(context->get("the context")));
  }

 private:
  using Owned = OwnProcess<Context>;

  Context create() const;
  std::optional<Owned> take();
  void give(std::optional<Owned> context);

  int threads_ = 0;
  std::string isa_;
  bool pin_threads_ = false;
  std::vector<std::string> warnings_;
  std::vector<Owned> idle_;
  /// More callers at once than cores gain nothing: what they leave behind need not be kept.
  size_t most_idle_ = 0;
};

}  // namespace rsr::python
