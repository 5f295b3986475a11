#include "python/options.h"

#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include "python/arrays.h"
#include "python/bindings.h"

namespace nb = nanobind;

namespace rsr::python {
namespace {

/// A property whose values are names: `member(object)` is the enumeration.
template <class Owner, class T, size_t n, class Member>
void def_name(nb::class_<Owner>& type, const char* name, const Names<T, n>& names, Member member) {
  type.def_prop_rw(
      name, [&names, member](Owner& self) { return name_of(names, member(self)); },
      [&names, member, name](Owner& self, std::string_view value) {
        member(self) = from_name(names, name, value);
      });
}

/// A property of `member(object)` as it is.
template <class Owner, class Member>
void def_value(nb::class_<Owner>& type, const char* name, Member member) {
  using T = std::remove_reference_t<decltype(member(std::declval<Owner&>()))>;
  type.def_prop_rw(
      name, [member](Owner& self) { return member(self); },
      [member](Owner& self, T value) { member(self) = std::move(value); },
      nb::for_setter(nb::arg("value").none()));
}

void add_prepare_options(nb::module_& module) {
  using Options = OwnedPrepareOptions;
  nb::class_<Options> type(module, "PrepareOptions");
  type.def(nb::init<>());
  def_value(type, "scale", [](Options& o) -> float& { return o.options.scale; });
  def_value(type, "group_size", [](Options& o) -> int64_t& { return o.options.group_size; });
  def_value(type, "isa", [](Options& o) -> std::string& { return o.isa; });
  def_value(type, "k", [](Options& o) -> int& { return o.options.k; });
  def_name(type, "inputs", kInputs, [](Options& o) -> Inputs& { return o.options.inputs; });
  def_name(type, "residency", kResidencies,
           [](Options& o) -> Residency& { return o.options.residency; });
  def_name(type, "algorithm", kAlgorithms,
           [](Options& o) -> Algorithm& { return o.options.algorithm; });
  def_name(type, "form", kForms, [](Options& o) -> RsrForm& { return o.options.form; });
  type.def("set_row_scales", [](Options& o, const FloatVector& scales) {
    o.row_scales.assign(scales.data(), scales.data() + scales.size());
  });
  type.def("set_group_scales", [](Options& o, const FloatVector& scales) {
    o.group_scales.assign(scales.data(), scales.data() + scales.size());
  });
}

void add_engine_options(nb::module_& module) {
  using Options = OwnedEngineOptions;
  nb::class_<Options> type(module, "EngineOptions");
  type.def(nb::init<>());
  def_value(type, "device", [](Options& o) -> std::string& { return o.options.device; });
  def_value(type, "threads", [](Options& o) -> int& { return o.options.context.threads; });
  def_value(type, "pin_threads", [](Options& o) -> bool& { return o.options.context.pin_threads; });
  def_value(type, "isa", [](Options& o) -> std::string& { return o.isa; });
  def_value(type, "context_length",
            [](Options& o) -> int64_t& { return o.options.context_length; });
  def_name(type, "kv_cache", kKvCaches,
           [](Options& o) -> KvCacheType& { return o.options.kv_cache; });
  def_value(type, "chat_template",
            [](Options& o) -> std::string& { return o.options.chat_template; });
  def_value(type, "verify", [](Options& o) -> bool& { return o.options.verify; });
  def_name(type, "head", kHeads, [](Options& o) -> HeadMethod& { return o.options.head; });
  def_value(type, "rsr_memory", [](Options& o) -> int64_t& { return o.options.rsr_memory; });
  def_value(type, "jit", [](Options& o) -> bool& { return o.options.jit; });
}

void add_generate_options(nb::module_& module) {
  using Options = GenerateOptions;
  nb::class_<Options> type(module, "GenerateOptions");
  type.def(nb::init<>())
      .def_rw("max_tokens", &Options::max_tokens)
      .def_rw("temperature", &Options::temperature, nb::for_setter(nb::arg().none()))
      .def_rw("top_k", &Options::top_k, nb::for_setter(nb::arg().none()))
      .def_rw("top_p", &Options::top_p, nb::for_setter(nb::arg().none()))
      .def_rw("min_p", &Options::min_p)
      .def_rw("repetition_penalty", &Options::repetition_penalty, nb::for_setter(nb::arg().none()))
      .def_rw("presence_penalty", &Options::presence_penalty)
      .def_rw("frequency_penalty", &Options::frequency_penalty)
      .def_rw("logit_bias", &Options::logit_bias)
      .def_rw("seed", &Options::seed)
      .def_rw("raw", &Options::raw)
      .def_rw("ignore_eos", &Options::ignore_eos)
      .def_rw("stop", &Options::stop);
  def_name(type, "draft", kDrafts, [](Options& o) -> Draft& { return o.draft; });
}

}  // namespace

void add_options(nb::module_& module) {
  add_prepare_options(module);
  add_engine_options(module);
  add_generate_options(module);
}

}  // namespace rsr::python
