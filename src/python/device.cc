// GPUs: what lies in their memory comes by address, since whoever has it there also has the arrays.
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>

#include <string>
#include <tuple>

#include "python/bindings.h"
#include "python/errors.h"
#include "python/options.h"
#include "rsr/device.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace rsr::python {
namespace {

/// An array on the device: address, elements, dtype.
using DeviceArray = std::tuple<uintptr_t, int64_t, std::string>;
/// Where a product is done: the stream's handle, and scratch memory as address and bytes.
using Place = std::tuple<uintptr_t, uintptr_t, int64_t>;

constexpr Names<DeviceFloats::Type, 3> kFloats{{{"float32", DeviceFloats::Type::f32},
                                                {"float16", DeviceFloats::Type::f16},
                                                {"bfloat16", DeviceFloats::Type::bf16}}};

// NOLINTBEGIN(performance-no-int-to-ptr): addresses are whole numbers in Python.
template <class T>
std::span<T> elements(uintptr_t address, int64_t count) {
  return {reinterpret_cast<T*>(address), static_cast<size_t>(count)};
}

DeviceContextOptions options_of(const Place& place) {
  const auto [stream, scratch, bytes] = place;
  return {.stream = reinterpret_cast<void*>(stream),
          .scratch = elements<std::byte>(scratch, bytes)};
}
// NOLINTEND(performance-no-int-to-ptr)

/// The dtype of results is float32; int32 where x is int8.
void multiply_there(const DeviceContext& device, const DeviceWeight& weight, const DeviceArray& x,
                    const DeviceArray& y, bool quantise, const Place& place) {
  const auto& [x_address, x_count, x_type] = x;
  const auto& [y_address, y_count, y_type] = y;
  const bool integers = x_type == "int8";
  if (y_type != (integers ? "int32" : "float32")) {
    throw StatusError({ErrorCode::invalid_argument, "y: " + y_type + " is no dtype of results"});
  }
  const DeviceContext context = value_of(device.with(options_of(place)));
  if (integers) {
    return check(multiply(context, weight, elements<const int8_t>(x_address, x_count),
                          elements<int32_t>(y_address, y_count)));
  }
  const DeviceFloats floats{elements<const std::byte>(x_address, x_count).data(), x_count,
                            from_name(kFloats, "x", x_type)};
  const DeviceProduct product{&weight, elements<float>(y_address, y_count)};
  check(quantise ? multiply_quantised(context, {&product, 1}, floats)
                 : multiply(context, weight, floats, product.y));
}

/// Its context has neither a stream nor scratch memory of its own: these come with every product.
DeviceContext open_device(const std::string& name) {
  const nb::gil_scoped_release others_may_run;
  return value_of(DeviceContext::create(name, {.stream = nullptr, .scratch = {}}));
}

/// Over a stream of its own, so that it waits for its own copying only.
DeviceWeight upload(const DeviceContext& device, const Weight& weight) {
  const nb::gil_scoped_release others_may_run;
  return value_of(to_device(value_of(device.with({})), weight));
}

}  // namespace

void add_device(nb::module_& module) {
  nb::class_<DeviceWeight>(module, "DeviceWeight", "A matrix in the memory of a GPU.")
      .def_prop_ro("rows", &DeviceWeight::rows)
      .def_prop_ro("cols", &DeviceWeight::cols)
      .def_prop_ro("nbytes", &DeviceWeight::nbytes)
      .def("describe", &DeviceWeight::describe);
  nb::class_<DeviceContext>(module, "Device", "A GPU. Arrays there are (address, elements, dtype).")
      .def("describe", &DeviceContext::describe)
      .def("upload", &upload, "weight"_a)
      .def("multiply", &multiply_there, nb::call_guard<nb::gil_scoped_release>(), "weight"_a, "x"_a,
           "y"_a, "quantise"_a, "place"_a)
      .def_static("scratch_bytes", &DeviceContext::scratch_bytes, "batch"_a, "cols"_a);
  module.def("open_device", &open_device, "name"_a);
}

}  // namespace rsr::python
