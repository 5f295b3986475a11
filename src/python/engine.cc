// Language models: opening, conversations, answers.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include <utility>

#include "python/bindings.h"
#include "python/options.h"
#include "python/stream.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace rsr::python {
namespace {

using Fields = nb::typed<nb::dict, nb::str, nb::any>;
using Model = OwnProcess<Engine>;

/// What Python holds of a session. Not the shared_ptr itself: nanobind would make one whose end
/// needs the interpreter's lock, and a Stream's thread must never need that.
struct SessionHandle {
  std::shared_ptr<SharedSession> shared;
};

Model open_model(const std::string& directory, const OwnedEngineOptions& options) {
  const nb::gil_scoped_release others_may_run;
  return Model(value_of(Engine::open(directory, options.view())));
}

SessionHandle make_session(const Model& model) {
  return {std::make_shared<SharedSession>(model.get("the model").session())};
}

/// Waits for text; a signal's handler (Ctrl-C's raises KeyboardInterrupt) runs while nothing comes.
std::optional<std::string> next_text(Stream& stream) {
  constexpr double kSecondsBetweenSignals = 0.05;
  while (true) {
    std::optional<std::string> text;
    {
      const nb::gil_scoped_release others_may_run;
      text = stream.next(kSecondsBetweenSignals);
    }
    if (PyErr_CheckSignals() != 0) throw nb::python_error();
    if (!text.has_value() || !text->empty()) return text;
  }
}

Fields stats_of(const Stream& stream) {
  const GenerateStats s = stream.stats();
  Fields all;
  all["prompt_tokens"] = s.prompt_tokens;
  all["prompt_seconds"] = s.prompt_seconds;
  all["cached_tokens"] = s.cached_tokens;
  all["new_tokens"] = s.new_tokens;
  all["decode_steps"] = s.decode_steps;
  all["decode_seconds"] = s.decode_seconds;
  all["drafted_tokens"] = s.drafted_tokens;
  all["accepted_tokens"] = s.accepted_tokens;
  all["bytes_per_token"] = s.bytes_per_token;
  all["head_candidates"] = s.head_candidates;
  all["finish"] = name_of(kFinishes, s.finish);
  return all;
}

/// What use(session) gives, without the interpreter's lock.
template <class Use>
auto with_session(const SessionHandle& handle, const Use& use) {
  const SharedSession::Claim claim(handle.shared);
  const nb::gil_scoped_release others_may_run;
  return use(claim.session());
}

void add_session(nb::module_& module) {
  nb::class_<SessionHandle>(module, "Session")
      .def(
          "set_system",
          [](const SessionHandle& self, const std::string& text) {
            check(with_session(self, [&](Session& s) { return s.set_system(text); }));
          },
          "text"_a)
      .def("reset",
           [](const SessionHandle& self) { with_session(self, [](Session& s) { s.reset(); }); })
      .def("tokens",
           [](const SessionHandle& self) {
             return with_session(self, [](Session& s) { return s.tokens(); });
           })
      .def(
          "load_prompt_cache",
          [](const SessionHandle& self, const std::string& path) {
            return value_of(
                with_session(self, [&](Session& s) { return s.load_prompt_cache(path); }));
          },
          "path"_a)
      .def(
          "save_prompt_cache",
          [](const SessionHandle& self, const std::string& path) {
            return value_of(
                with_session(self, [&](Session& s) { return s.save_prompt_cache(path); }));
          },
          "path"_a);
}

}  // namespace

void add_engine(nb::module_& module) {
  nb::class_<Model>(module, "Model")
      .def_prop_ro("notice", [](const Model& self) { return self.get("the model").notice(); })
      .def("session", &make_session);
  add_session(module);
  nb::class_<Stream>(module, "Stream")
      .def(
          "__init__",
          [](Stream* self, const SessionHandle& session, std::string prompt,
             GenerateOptions options) {
            new (self) Stream(session.shared, std::move(prompt), std::move(options));
          },
          "session"_a, "prompt"_a, "options"_a)
      .def("next", &next_text)
      .def("close", &Stream::close, nb::call_guard<nb::gil_scoped_release>())
      .def("stats", &stats_of);
  module.def("open_model", &open_model, "directory"_a, "options"_a);
  module.def("chat_template_names", &Engine::chat_template_names);
}

}  // namespace rsr::python
