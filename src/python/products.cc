// Products: arrays in, and into arrays that Python has made.
#include <nanobind/stl/vector.h>

#include <vector>

#include "linear/last_quantised.h"
#include "python/arrays.h"
#include "python/bindings.h"
#include "python/context_pool.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace rsr::python {
namespace {

template <class In, class Out>
void multiply_into(ContextPool& pool, const Weight& weight, const Array<const In, 1>& x,
                   const Array<Out, 1>& y) {
  check(pool.run(
      [&](const Context& context) { return multiply(context, weight, span_of(x), span_of(y)); }));
}

void multiply_quantised_into(ContextPool& pool, const std::vector<const Weight*>& weights,
                             const FloatVector& x, const std::vector<Array<float, 1>>& y) {
  if (weights.size() != y.size()) {
    throw StatusError({ErrorCode::invalid_argument, "y: not one array for each weight"});
  }
  std::vector<Product> products;
  products.reserve(weights.size());
  for (size_t i = 0; i < weights.size(); ++i) products.push_back({weights[i], span_of(y[i])});
  check(pool.run(
      [&](const Context& context) { return multiply_quantised(context, products, span_of(x)); }));
}

QuantisedVectors quantise_vectors(ContextPool& pool, const FloatVector& x, int64_t cols) {
  return value_of(
      pool.run([&](const Context& context) { return quantise(context, span_of(x), cols); }));
}

void multiply_vectors_into(ContextPool& pool, const Weight& weight, const QuantisedVectors& x,
                           const Array<float, 1>& y) {
  check(pool.run([&](const Context& context) { return multiply(context, weight, x, span_of(y)); }));
}

/// multiply_quantised() of one weight, which quantises x unless `last` had the same floats before.
void multiply_remembered_into(ContextPool& pool, const Weight& weight, linear::LastQuantised& last,
                              const FloatVector& x, const Array<float, 1>& y) {
  check(pool.run([&](const Context& context) {
    return last.multiply(context, weight, span_of(x), span_of(y));
  }));
}

void add_quantised(nb::module_& module) {
  nb::class_<QuantisedVectors>(module, "QuantisedVectors")
      .def_prop_ro("batch", &QuantisedVectors::batch)
      .def_prop_ro("cols", &QuantisedVectors::cols);
  nb::class_<linear::LastQuantised>(module, "LastQuantised",
                                    "The last vectors that were quantised, by their values.")
      .def(nb::init<>())
      .def_prop_ro("made", &linear::LastQuantised::made, "How often it had to quantise.");
  module.def("quantise", &quantise_vectors, "context"_a, "x"_a.noconvert(), "cols"_a);
  module.def("multiply_vectors", &multiply_vectors_into, "context"_a, "weight"_a, "x"_a,
             "y"_a.noconvert());
  module.def("multiply_remembered", &multiply_remembered_into, "context"_a, "weight"_a, "last"_a,
             "x"_a.noconvert(), "y"_a.noconvert());
}

template <class In>
void top_k_into(ContextPool& pool, const Weight& weight, const Array<const In, 1>& x,
                const Array<int64_t, 1>& rows, const Array<float, 1>& scores) {
  if (rows.size() != scores.size()) {
    throw StatusError({ErrorCode::invalid_argument, "scores: not as many as rows"});
  }
  std::vector<Match> matches(rows.size());
  check(pool.run(
      [&](const Context& context) { return top_k(context, weight, span_of(x), matches); }));
  for (size_t i = 0; i < matches.size(); ++i) {
    rows.data()[i] = matches[i].row;
    scores.data()[i] = matches[i].score;
  }
}

}  // namespace

void add_products(nb::module_& module) {
  const auto x = [] { return "x"_a.noconvert(); };
  const auto y = [] { return "y"_a.noconvert(); };
  module.def("multiply_f32", &multiply_into<float, float>, "context"_a, "weight"_a, x(), y());
  module.def("multiply_i8", &multiply_into<int8_t, int32_t>, "context"_a, "weight"_a, x(), y());
  module.def("multiply_quantised", &multiply_quantised_into, "context"_a, "weights"_a, x(),
             "y"_a.noconvert());
  add_quantised(module);
  module.def("top_k_f32", &top_k_into<float>, "context"_a, "weight"_a, x(), "rows"_a.noconvert(),
             "scores"_a.noconvert());
  module.def("top_k_i8", &top_k_into<int8_t>, "context"_a, "weight"_a, x(), "rows"_a.noconvert(),
             "scores"_a.noconvert());
}

}  // namespace rsr::python
