// What the module rsr._rsr is made of: each file adds its part.
#pragma once

#include <nanobind/nanobind.h>

namespace rsr::python {

void add_errors(nanobind::module_& module);
void add_options(nanobind::module_& module);
void add_context(nanobind::module_& module);
void add_weight(nanobind::module_& module);
void add_products(nanobind::module_& module);
void add_device(nanobind::module_& module);
void add_engine(nanobind::module_& module);
void add_models(nanobind::module_& module);

}  // namespace rsr::python
