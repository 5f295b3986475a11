#include "linear/planner.h"

#include <algorithm>
#include <utility>

namespace rsr::linear {
namespace {

using base::Isa;
using matrix::Format;

bool allowed(const char* name, Isa isa, Isa chosen, const std::vector<std::string>& disabled) {
  if (isa == Isa::reference) return true;
  return base::isa_includes(chosen, isa) &&
         std::find(disabled.begin(), disabled.end(), name) == disabled.end();
}

/// The best kernel of a list (best last) that may run; a list by format is asked for one of it.
template <class List>
auto best(const List& list, Isa isa, const std::vector<std::string>& disabled) {
  const auto* found = &list[0];
  for (const auto& kernel : list) {
    if (allowed(kernel.name, kernel.isa, isa, disabled)) found = &kernel;
  }
  return found;
}
template <class List, class Array>
void best_by_format(const List& list, Isa isa, const std::vector<std::string>& disabled,
                    Array& found) {
  for (const auto& kernel : list) {
    if (allowed(kernel.name, kernel.isa, isa, disabled)) {
      found[static_cast<size_t>(kernel.format)] = &kernel;
    }
  }
}

/// True when look-ups that gain so much with whole token tiles and many rows should still win.
bool tables_win(double gain, int token_tile, const BatchShape& s) {
  const int64_t tiles = (s.batch + token_tile - 1) / token_tile;
  const auto full = static_cast<double>(s.batch) / static_cast<double>(tiles * token_tile);
  return s.batch > 1 && !s.grouped && gain * full * tables_share(s.rows) > 1;
}

/// True when the fastest kernel of a format, which is why the format is chosen, may run.
bool runs(const FormatQuestion& q, const char* kernel, Isa isa) {
  return allowed(kernel, isa, q.isa, q.disabled);
}

}  // namespace

FormatChoice choose_format(const FormatQuestion& q) {
  if (q.alphabet != matrix::Alphabet::ternary) {
    return {Format::b1, "binary: one bit per weight serves integers and floats alike"};
  }
  if (q.grouped) {
    return {Format::t2,
            "scales per group: the 16 columns of its lines divide groups of 64 and 128"};
  }
  if (q.inputs == Inputs::floats && runs(q, "matvec_t3_f32_avx512bw", Isa::avx512bw)) {
    return {Format::t3, "float inputs: three columns per look-up in two registers, 1.78 bits"};
  }
  if (q.inputs != Inputs::int8) {
    return {Format::t2, q.inputs == Inputs::any
                            ? "inputs of both kinds: 2-bit codes serve integers and floats"
                            : "float inputs: this instruction set has no wide table look-up"};
  }
  if (!runs(q, "matvec_t5_i8_avx512vbmi", Isa::avx512vbmi)) {
    return {Format::t2,
            "integer inputs: decoding 1.6 bits needs the byte permutes of AVX-512 VBMI"};
  }
  if (q.residency == Residency::cache) {
    return {Format::t2,
            "integer inputs from the cache: instructions count, and 2 bits need fewest"};
  }
  return {Format::t5, "integer inputs from memory: bytes count, and 1.6 bits are fewest"};
}

KernelSet::KernelSet(Isa chosen, std::vector<std::string> not_these)
    : isa(chosen),
      disabled(std::move(not_these)),
      tuning(chosen),
      tables_t3(best(kernels::kTablesT3F32, chosen, disabled)),
      tables_b1(best(kernels::kTablesB1F32, chosen, disabled)),
      quantize(best(kernels::kQuantizeI8, chosen, disabled)),
      dense_bf16(best(kernels::kDenseBf16F32, chosen, disabled)),
      dense_f16(best(kernels::kDenseF16F32, chosen, disabled)),
      merge_states(best(kernels::kMergeStates, chosen, disabled)),
      scan(best(kernels::kScanI8, chosen, disabled)),
      lanes_i8(best(kernels::kLanesI8, chosen, disabled)),
      lanes_f32(best(kernels::kLanesF32, chosen, disabled)),
      slices_i32(best(kernels::kSlicesI32, chosen, disabled)),
      slices_f32(best(kernels::kSlicesF32, chosen, disabled)) {
  best_by_format(kernels::kMatvecI8, chosen, disabled, matvec_i8);
  best_by_format(kernels::kGemmI8, chosen, disabled, gemm_i8);
  best_by_format(kernels::kGemmTablesI8, chosen, disabled, gemm_tables_i8);
  best_by_format(kernels::kMatvecF32, chosen, disabled, matvec_f32);
  best_by_format(kernels::kGemmTablesF32, chosen, disabled, gemm_tables_f32);
  for (const auto& kernel : kernels::kGemmGrayI8) {
    if (allowed(kernel.name, kernel.isa, chosen, disabled)) gemm_gray_i8 = &kernel;
  }
  for (const auto& kernel : kernels::kGemmGrayF32) {
    if (allowed(kernel.name, kernel.isa, chosen, disabled)) gemm_gray_f32 = &kernel;
  }
  for (const auto& kernel : kernels::kAttend) {
    if (!allowed(kernel.name, kernel.isa, chosen, disabled)) continue;
    attention[static_cast<size_t>(kernel.type)].attend = &kernel;
  }
  for (const auto& kernel : kernels::kKvAppend) {
    if (!allowed(kernel.name, kernel.isa, chosen, disabled)) continue;
    attention[static_cast<size_t>(kernel.type)].append = &kernel;
  }
}

const kernels::MatvecI8Kernel* KernelSet::for_batch(Format format, const BatchShape& shape) const {
  const auto at = static_cast<size_t>(format);
  const auto* tables = gemm_tables_i8[at];
  if (tables != nullptr && tables_win(tuning.of(format).tables_gain, tables->token_tile, shape)) {
    return tables;
  }
  const bool gemm = shape.batch >= tuning.of(format).gemm_batch && gemm_i8[at] != nullptr;
  return gemm ? gemm_i8[at] : matvec_i8[at];
}

const kernels::GemmTablesF32Kernel* KernelSet::look_ups_f32(Format format,
                                                            const BatchShape& shape) const {
  const auto* tables = gemm_tables_f32[static_cast<size_t>(format)];
  const bool win =
      tables != nullptr && tables_win(float_tables_gain(format, isa), tables->token_tile, shape);
  return win ? tables : nullptr;
}

int KernelSet::token_tile(const kernels::MatvecI8Kernel& kernel, int64_t batch) const {
  const auto widest = static_cast<int>(std::min<int64_t>(batch, kernel.token_tile));
  const int tuned = tuning.of(kernel.format).token_tile;
  // The others have one width only: their tiles of inputs fill registers.
  const bool matvec = &kernel == matvec_i8[static_cast<size_t>(kernel.format)];
  return tuned > 0 && matvec ? std::min(widest, tuned) : widest;
}

GrayKernel gray_kernel(const KernelSet& kernels, bool floats) {
  const auto facts = [](const auto* kernel) -> GrayKernel {
    if (kernel == nullptr) return {};
    return {kernel->name, kernel->isa, kernel->token_tile, kernel->stride()};
  };
  return floats ? facts(kernels.gemm_gray_f32) : facts(kernels.gemm_gray_i8);
}

const char* rsr_kernel(const KernelSet& kernels, RsrIndex index, bool floats) {
  switch (index) {
    case RsrIndex::lanes:
      return floats ? kernels.lanes_f32->name : kernels.lanes_i8->name;
    case RsrIndex::slices:
      return floats ? kernels.slices_f32->name : kernels.slices_i32->name;
    case RsrIndex::groups:
      break;
  }
  return floats ? kernels::best_kernel(kernels::kMatvecGroupsF32, kernels.isa).name
                : kernels::best_kernel(kernels::kMatvecGroupsI8, kernels.isa).name;
}

}  // namespace rsr::linear
