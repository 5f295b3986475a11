// Which kernel runs, and why, in words.
#include <sstream>

#include "linear/batch_index.h"
#include "linear/linear.h"
#include "linear/packed_product.h"
#include "linear/weight.h"

namespace rsr::linear {
namespace {

std::string sentence(const char* kernel, const std::string& format, base::Isa isa) {
  return std::string(kernel) + ": the best kernel of format " + format + " for instruction set " +
         base::isa_name(isa);
}

/// What rsr tune has changed for a format, or nothing.
std::string tuned(const Context::Impl& context, matrix::Format format) {
  const Tuning& now = context.kernels.tuning.of(format);
  const Tuning usual = default_tuning(format, context.isa);
  if (now == usual) return "";
  std::string text = "; tuned:";
  if (now.prefetch.near != usual.prefetch.near || now.prefetch.far != usual.prefetch.far) {
    text += " prefetch " + std::to_string(now.prefetch.near) + " and " +
            std::to_string(now.prefetch.far) + " bytes ahead,";
  }
  if (now.token_tile != usual.token_tile) {
    text += " token tiles of " + std::to_string(now.token_tile) + ",";
  }
  if (now.gemm_batch != usual.gemm_batch) {
    text += " gemm from " + std::to_string(now.gemm_batch) + " vectors,";
  }
  if (now.tables_gain != usual.tables_gain) {
    std::ostringstream gain;
    gain.precision(3);
    gain << now.tables_gain;
    text += " look-ups " + gain.str() + " times as fast as a gemm,";
  }
  text.pop_back();
  return text;
}

std::string explain_packed(const Context::Impl& context, const matrix::Packed& packed,
                           Inputs inputs, int64_t batch) {
  const auto at = static_cast<size_t>(packed.format());
  const std::string format = matrix::format_name(packed.format());
  const auto t2 = static_cast<size_t>(matrix::Format::t2);
  const KernelSet& kernels = context.kernels;
  const BatchShape shape{batch, rows_of_call(packed.rows(), 1, context.pool.threads()),
                         packed.layout().segments() > 1};
  if (inputs == Inputs::floats) {
    if (const auto* tables = kernels.look_ups_f32(packed.format(), shape)) {
      return sentence(tables->name, format, context.isa);
    }
    if (kernels.matvec_f32[at] != nullptr) {
      return sentence(kernels.matvec_f32[at]->name, format, context.isa) +
             tuned(context, packed.format());
    }
    return sentence(kernels.matvec_f32[t2]->name, "t2", context.isa) + ", repacked from " + format +
           " for every product: the weight was prepared for integer inputs";
  }
  if (const auto* kernel = kernels.for_batch(packed.format(), shape); kernel != nullptr) {
    return sentence(kernel->name, format, context.isa) + tuned(context, packed.format());
  }
  return sentence(kernels.for_batch(matrix::Format::t2, shape)->name, "t2", context.isa) +
         ", repacked from " + format +
         " for every product: the weight was prepared for float inputs";
}

}  // namespace

std::string explain_kernel(const Context::Impl& context, const Weight& weight, Inputs inputs,
                           int64_t batch) {
  if (const auto* packed = std::get_if<matrix::Packed>(&weight.impl().packed)) {
    const PackedProduct product{packed, nullptr, nullptr, nullptr, weight.batch_index()};
    const bool by_floats = inputs == Inputs::floats;
    if (by_index(context, {&product, 1}, batch, by_floats)) {
      return std::string(gray_kernel(context.kernels, by_floats).name) + ": the index for batches" +
             (product.index->compiled() ? ", as machine code," : "") +
             " should be faster than packed weights";
    }
    return explain_packed(context, *packed, inputs, batch);
  }
  const bool floats = inputs == Inputs::floats;
  const RsrIndex index = std::get<RsrWeight>(weight.impl().packed).kind();
  return sentence(rsr_kernel(context.kernels, index, floats), index_name(index), context.isa);
}

std::string explain_kernel(const Context::Impl& context, const Dense& dense) {
  return dense.format == Float16::bf16
             ? sentence(context.kernels.dense_bf16->name, "bf16", context.isa)
             : sentence(context.kernels.dense_f16->name, "f16", context.isa);
}

}  // namespace rsr::linear
