// Prepared matrices: made of arrays, of bytes and of files.
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>

#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/output_file.h"
#include "linear/linear.h"
#include "linear/weight.h"
#include "python/arrays.h"
#include "python/bindings.h"
#include "python/context_pool.h"
#include "python/options.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace rsr::python {
namespace {

using Bytes = std::span<const uint8_t>;

Weight prepare_view(const MatrixView& view, const OwnedPrepareOptions& options) {
  const nb::gil_scoped_release others_may_run;
  return value_of(prepare(view, options.view()));
}

Weight prepare_values(const Array<const int8_t, 2>& values, const std::string& kind,
                      const OwnedPrepareOptions& options) {
  constexpr Names<MatrixView (*)(std::span<const int8_t>, int64_t, int64_t), 3> kKinds{
      {{"ternary", &ternary}, {"binary", &binary}, {"signs", &signs}}};
  const auto make = from_name(kKinds, "kind", kind);
  const auto rows = static_cast<int64_t>(values.shape(0));
  return prepare_view(make(span_of(values), rows, static_cast<int64_t>(values.shape(1))), options);
}

Weight prepare_floats(const Array<const float, 2>& values, const OwnedPrepareOptions& options) {
  const auto rows = static_cast<int64_t>(values.shape(0));
  return prepare_view(absmean(span_of(values), rows, static_cast<int64_t>(values.shape(1))),
                      options);
}

/// Four rows to a byte as Hugging Face packs them: bytes[ceil(rows / 4), cols].
Weight prepare_packed(const Array<const uint8_t, 2>& bytes, int64_t rows,
                      const OwnedPrepareOptions& options) {
  return prepare_view(packed_2bit(span_of(bytes), rows, static_cast<int64_t>(bytes.shape(1))),
                      options);
}

/// Eight columns to a byte: bits[rows, ceil(cols / 8)].
Weight prepare_bits(const Array<const uint8_t, 2>& bits, int64_t cols, bool as_signs,
                    const OwnedPrepareOptions& options) {
  const auto rows = static_cast<int64_t>(bits.shape(0));
  const auto make = as_signs ? &sign_bits : &binary_bits;
  return prepare_view(make(span_of(bits), rows, cols), options);
}

/// What the values are: "ternary", "binary" or "signs".
const char* kind_of(const Weight& weight) {
  using matrix::Alphabet;
  Alphabet alphabet = Alphabet::ternary;
  if (const auto* packed = std::get_if<matrix::Packed>(&weight.impl().packed)) {
    alphabet = packed->alphabet();
  } else {
    const auto& rsr = std::get<linear::RsrWeight>(weight.impl().packed);
    if (rsr.alphabet() != segment::Alphabet::ternary) {
      alphabet = rsr.signs() ? Alphabet::signs : Alphabet::binary;
    }
  }
  return alphabet == Alphabet::ternary  ? "ternary"
         : alphabet == Alphabet::binary ? "binary"
                                        : "signs";
}

nb::bytes to_bytes(const Weight& weight) {
  std::vector<uint8_t> image;
  {
    const nb::gil_scoped_release others_may_run;
    image = weight_to_bytes(weight);
  }
  return nb::bytes(image.data(), image.size());
}

Weight from_bytes(const ByteVector& bytes, const std::string& isa) {
  const nb::gil_scoped_release others_may_run;
  return value_of(weight_from_bytes(span_of(bytes), {.isa = isa}));
}

Status write(const Weight& weight, const std::string& path) {
  const std::vector<uint8_t> image = weight_to_bytes(weight);
  Result<base::OutputFile> file = base::OutputFile::replacement(path);
  if (!file.ok()) return file.status();
  if (Status status = file->write(std::as_bytes(std::span(image))); !status.ok()) return status;
  return file->finish();
}

void save(const Weight& weight, const std::string& path) {
  const nb::gil_scoped_release others_may_run;
  check(write(weight, path));
}

Weight load(const std::string& path, const std::string& isa) {
  const nb::gil_scoped_release others_may_run;
  const base::MappedFile file = value_of(base::MappedFile::open(path));
  const auto* data = reinterpret_cast<const uint8_t*>(file.bytes().data());
  Result<Weight> weight = weight_from_bytes({data, file.bytes().size()}, {.isa = isa});
  check(weight.status().with_context(path));
  return std::move(weight).value();
}

/// The kernel of a product of `batch` vectors, and why; inputs are floats, or int8 or quantised.
std::string explain(const Weight& weight, ContextPool& pool, bool floats, int64_t batch) {
  const Inputs inputs = floats ? Inputs::floats : Inputs::int8;
  return pool.run([&](const Context& context) {
    return linear::explain_kernel(context.impl(), weight, inputs, batch);
  });
}

/// The weight with an index for batches, and why it has none or another one.
std::pair<Weight, std::string> with_index(const Weight& weight, ContextPool& pool,
                                          const BatchIndexOptions& options) {
  std::string notice;
  Weight made = pool.run(
      [&](const Context& context) { return with_batch_index(context, weight, options, &notice); });
  return {std::move(made), notice};
}

}  // namespace

void add_weight(nb::module_& module) {
  nb::class_<Weight>(module, "Weight")
      .def_prop_ro("rows", &Weight::rows)
      .def_prop_ro("cols", &Weight::cols)
      .def_prop_ro("nbytes", &Weight::nbytes)
      .def_prop_ro("index_bytes", &Weight::index_bytes)
      .def_prop_ro("kind", &kind_of)
      .def_prop_ro("notice", &Weight::notice)
      .def("describe", &Weight::describe)
      .def("to_bytes", &to_bytes)
      .def("save", &save, "path"_a)
      .def("explain", &explain, "context"_a, "floats"_a, "batch"_a)
      .def(
          "with_index",
          [](const Weight& self, ContextPool& pool, int64_t most_bytes, bool jit, bool always) {
            return with_index(self, pool, {.most_bytes = most_bytes, .jit = jit, .always = always});
          },
          "context"_a, "most_bytes"_a, "jit"_a, "always"_a);
  module.def("prepare_values", &prepare_values, "values"_a.noconvert(), "kind"_a, "options"_a);
  module.def("prepare_floats", &prepare_floats, "values"_a.noconvert(), "options"_a);
  module.def("prepare_packed", &prepare_packed, "bytes"_a.noconvert(), "rows"_a, "options"_a);
  module.def("prepare_bits", &prepare_bits, "bits"_a.noconvert(), "cols"_a, "signs"_a, "options"_a);
  module.def("weight_from_bytes", &from_bytes, "bytes"_a.noconvert(), "isa"_a);
  module.def("load_weight", &load, "path"_a, "isa"_a);
}

}  // namespace rsr::python
