// Models as directories: from the hub, and prepared.
#include <nanobind/stl/string.h>

#include <exception>
#include <string>

#include "base/file.h"
#include "io/hub/hub.h"
#include "python/bindings.h"
#include "python/errors.h"
#include "rsr/engine.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace rsr::python {
namespace {

using Fields = nb::typed<nb::dict, nb::str, nb::any>;
/// Calls Python from work that runs without the interpreter's lock. What is raised ends the work,
/// and is raised again behind it.
class Callbacks {
 public:
  /// progress(done, total), which may be None, is told and may return False to end the work; Ctrl-C
  /// ends it, too.
  bool go_on(const nb::object& progress, int64_t done, int64_t total) {
    bool wanted = true;
    guarded([&] {
      if (PyErr_CheckSignals() != 0) throw nb::python_error();
      if (!progress.is_none()) wanted = progress(done, total).ptr() != Py_False;
    });
    return wanted && raised_ == nullptr;
  }

  void tell(const nb::object& notice, const std::string& text) {
    guarded([&] { notice(text); });
  }

  /// What was raised comes before what the library makes of its end. Needs the interpreter's lock.
  void check(const Status& status) const {
    if (raised_ != nullptr) std::rethrow_exception(raised_);
    python::check(status);
  }

 private:
  template <class Call>
  void guarded(const Call& call) {
    const nb::gil_scoped_acquire lock;
    try {
      call();
    } catch (...) {
      if (raised_ == nullptr) raised_ = std::current_exception();
    }
  }

  std::exception_ptr raised_;
};

Fields to_dict(const PreparedModel& made) {
  Fields all;
  all["bytes"] = made.bytes;
  all["source_bytes"] = made.source_bytes;
  all["layers"] = made.layers;
  all["seconds"] = made.seconds;
  all["isa"] = made.isa;
  all["formats"] = made.formats;
  return all;
}

Fields prepare(const std::string& source, const std::string& target, PrepareModelOptions& options,
               const nb::object& progress) {
  Callbacks callbacks;
  options.on_progress = [&](int64_t done, int64_t total) {
    return callbacks.go_on(progress, done, total);
  };
  Result<PreparedModel> made = Status();
  {
    const nb::gil_scoped_release others_may_run;
    made = prepare_model(source, target, options);
  }
  callbacks.check(made.status());
  return to_dict(*made);
}

/// notice(text) is told what the user may want to know.
std::string fetch(const std::string& model, bool update, const nb::object& progress,
                  const nb::object& notice) {
  if (base::file_exists(model)) return model;
  Callbacks callbacks;
  io::HubOptions options = io::hub_options_from_environment();
  options.update = update;
  options.notice = [&](const std::string& text) { callbacks.tell(notice, text); };
  Result<std::string> directory = Status();
  {
    const nb::gil_scoped_release others_may_run;
    directory = io::resolve_model(model, options, [&](const io::HubProgress& at) {
      return callbacks.go_on(progress, at.bytes, at.total);
    });
  }
  callbacks.check(directory.status());
  return *directory;
}

}  // namespace

void add_models(nb::module_& module) {
  module.def(
      "prepare_model",
      [](const std::string& source, const std::string& target, const std::string& isa, int threads,
         bool replace, const nb::object& progress) {
        PrepareModelOptions options{
            .isa = isa, .threads = threads, .replace = replace, .on_progress = {}};
        return prepare(source, target, options, progress);
      },
      "source"_a, "target"_a, "isa"_a, "threads"_a, "replace"_a, "progress"_a.none());
  module.def("fetch", &fetch, "model"_a, "update"_a, "progress"_a.none(), "notice"_a);
}

}  // namespace rsr::python
