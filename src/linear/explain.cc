// Which kernel runs, and why, in words.
#include "linear/linear.h"
#include "linear/weight.h"

namespace rsr::linear {
namespace {

std::string sentence(const char* kernel, const std::string& format, base::Isa isa) {
  return std::string(kernel) + ": the best kernel of format " + format + " for instruction set " +
         base::isa_name(isa);
}

std::string explain_packed(const Context::Impl& context, const matrix::Packed& packed,
                           Inputs inputs, int64_t batch) {
  const auto at = static_cast<size_t>(packed.format());
  const std::string format = matrix::format_name(packed.format());
  const auto t2 = static_cast<size_t>(matrix::Format::t2);
  const KernelSet& kernels = context.kernels;
  if (inputs == Inputs::floats) {
    if (kernels.matvec_f32[at] != nullptr) {
      return sentence(kernels.matvec_f32[at]->name, format, context.isa);
    }
    return sentence(kernels.matvec_f32[t2]->name, "t2", context.isa) + ", repacked from " + format +
           " for every product: the weight was prepared for integer inputs";
  }
  if (const auto* kernel = kernels.for_batch(packed.format(), batch); kernel != nullptr) {
    return sentence(kernel->name, format, context.isa);
  }
  return sentence(kernels.for_batch(matrix::Format::t2, batch)->name, "t2", context.isa) +
         ", repacked from " + format +
         " for every product: the weight was prepared for float inputs";
}

}  // namespace

std::string explain_kernel(const Context::Impl& context, const Weight& weight, Inputs inputs,
                           int64_t batch) {
  if (const auto* packed = std::get_if<matrix::Packed>(&weight.impl().packed)) {
    return explain_packed(context, *packed, inputs, batch);
  }
  const bool floats = inputs == Inputs::floats;
  return sentence(floats ? kernels::kMatvecGroupsF32[0].name : kernels::kMatvecGroupsI8[0].name,
                  "groups", context.isa);
}

std::string explain_kernel(const Context::Impl& context, const Dense& dense) {
  return dense.format == Float16::bf16
             ? sentence(context.kernels.dense_bf16->name, "bf16", context.isa)
             : sentence(context.kernels.dense_f16->name, "f16", context.isa);
}

}  // namespace rsr::linear
