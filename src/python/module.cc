// The module rsr._rsr: the public API, thinly. Shapes, dtypes and defaults are the business of the
// Python files around it (python/rsr); what arrives here is contiguous and of the right dtype.
#include <nanobind/nanobind.h>

#include "python/bindings.h"
#include "rsr/version.h"

NB_MODULE(_rsr, module) {
  module.doc() = "The engine. Use the package rsr, which wraps it.";
  // What lives on until the interpreter ends is not lost.
  nanobind::set_leak_warnings(false);
  module.def("version", [] { return rsr::version(); });
  rsr::python::add_errors(module);
  rsr::python::add_options(module);
  rsr::python::add_context(module);
  rsr::python::add_weight(module);
  rsr::python::add_products(module);
  rsr::python::add_device(module);
  rsr::python::add_engine(module);
  rsr::python::add_models(module);
}
