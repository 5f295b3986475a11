// Arrays as they come from Python: in row-major order, in this machine's memory, never converted.
#pragma once

#include <nanobind/ndarray.h>

#include <cstdint>
#include <span>

namespace rsr::python {

template <class T, int dims>
using Array = nanobind::ndarray<T, nanobind::ndim<dims>, nanobind::c_contig, nanobind::device::cpu>;

using FloatVector = Array<const float, 1>;
using ByteVector = Array<const uint8_t, 1>;

/// The elements of an array of any shape.
template <class Elements>
auto span_of(const Elements& array) {
  return std::span(array.data(), array.size());
}

}  // namespace rsr::python
