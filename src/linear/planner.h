// Which format a matrix is packed in, and which kernels multiply it: facts in, choice out.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/cpu.h"
#include "kernels/attention/list.h"
#include "kernels/dense/list.h"
#include "kernels/gemm/list.h"
#include "kernels/gemm_gray/list.h"
#include "kernels/gemm_tables/list.h"
#include "kernels/lanes/list.h"
#include "kernels/matvec/list.h"
#include "kernels/quantize/list.h"
#include "kernels/scan/list.h"
#include "kernels/slices/list.h"
#include "kernels/tables/list.h"
#include "linear/rsr_choice.h"
#include "linear/tuning.h"
#include "matrix/format.h"
#include "matrix/packed.h"
#include "rsr/linear.h"

namespace rsr::linear {

/// What the choice of a format depends on.
struct FormatQuestion {
  matrix::Alphabet alphabet = matrix::Alphabet::ternary;
  Inputs inputs = Inputs::any;
  Residency residency = Residency::memory;
  bool grouped = false;  // scales per group of columns
  base::Isa isa = base::Isa::reference;
  std::vector<std::string> disabled = {};  // kernels that must not run on this machine
};

/// A choice and its reason, for people.
struct FormatChoice {
  matrix::Format format;
  const char* reason;
};
FormatChoice choose_format(const FormatQuestion& question);

/// What attention over one type of cache needs.
struct AttentionKernels {
  const kernels::KvKernel<kernels::AttendFunction>* attend = nullptr;
  const kernels::KvKernel<kernels::KvAppendFunction>* append = nullptr;
};

/// What the choice of a kernel depends on besides the format.
struct BatchShape {
  int64_t batch = 1;
  int64_t rows = 0;      // of one call of a kernel
  bool grouped = false;  // scales per group of columns
};

/// Rows of a call where some matrices with `rows` rows together are one pass of some threads: each
/// thread has a part of them, in which matrices end and begin.
constexpr int64_t rows_of_call(int64_t rows, int64_t matrices, int threads) {
  return rows / (matrices + threads - 1);
}

/// What is left of the speed of look-ups when a call has so many rows: making tables takes as long
/// as adding their entries to about 130 rows (640 rows reach 86 to 89% of the speed of 2,560).
constexpr double tables_share(int64_t rows) {
  return static_cast<double>(rows) / static_cast<double>(rows + 130);
}

/// The kernels of an instruction set, by format; null where there is none.
struct KernelSet {
  /// `disabled`: names of kernels that must not run on this machine (a reference kernel always
  /// may).
  explicit KernelSet(base::Isa isa, std::vector<std::string> disabled = {});

  base::Isa isa;
  std::vector<std::string> disabled;
  TuningTable tuning;  // the defaults; a Context puts in what was measured
  std::array<const kernels::MatvecI8Kernel*, 4> matvec_i8{};
  std::array<const kernels::MatvecI8Kernel*, 4> gemm_i8{};
  std::array<const kernels::MatvecI8Kernel*, 4> gemm_tables_i8{};
  const kernels::GemmGrayI8Kernel* gemm_gray_i8 = nullptr;  // for weights with a batch index
  const kernels::GemmGrayF32Kernel* gemm_gray_f32 = nullptr;
  std::array<const kernels::MatvecF32Kernel*, 4> matvec_f32{};
  std::array<const kernels::GemmTablesF32Kernel*, 4> gemm_tables_f32{};
  const kernels::Kernel<kernels::TablesF32Function>* tables_t3 = nullptr;
  const kernels::Kernel<kernels::TablesF32Function>* tables_b1 = nullptr;
  const kernels::Kernel<kernels::QuantizeI8Function>* quantize = nullptr;
  const kernels::Kernel<kernels::Dense16F32Function>* dense_bf16 = nullptr;
  const kernels::Kernel<kernels::Dense16F32Function>* dense_f16 = nullptr;
  std::array<AttentionKernels, 3> attention{};  // by kernels::KvType
  const kernels::Kernel<kernels::MergeStatesFunction>* merge_states = nullptr;
  const kernels::Kernel<kernels::ScanI8Function>* scan = nullptr;
  const kernels::Kernel<kernels::LanesI8Function>* lanes_i8 = nullptr;
  const kernels::Kernel<kernels::LanesF32Function>* lanes_f32 = nullptr;
  const kernels::Kernel<kernels::SlicesI32Function>* slices_i32 = nullptr;
  const kernels::Kernel<kernels::SlicesF32Function>* slices_f32 = nullptr;

  /// The kernel for int8 inputs: a matvec for small batches, a gemm from the tuning's batch on, or
  /// look-ups where their gain outweighs what tables cost: token tiles that are not full, and few
  /// rows to share them. Null when the format has none at all (t3): it is then repacked on the way.
  const kernels::MatvecI8Kernel* for_batch(matrix::Format format, const BatchShape& shape) const;

  /// The look-ups for float inputs where they are faster than a matvec for each vector; else null.
  const kernels::GemmTablesF32Kernel* look_ups_f32(matrix::Format format,
                                                   const BatchShape& shape) const;

  /// Vectors of a token tile for a kernel and batch.
  int token_tile(const kernels::MatvecI8Kernel& kernel, int64_t batch) const;
};

/// What is to be known of the kernel that reads indexes for batches.
struct GrayKernel {
  const char* name = nullptr;  // null: there is none, and what follows has no meaning
  base::Isa isa = base::Isa::reference;
  int token_tile = 0;
  int stride = 0;  // of its indexes
};
GrayKernel gray_kernel(const KernelSet& kernels, bool floats);

/// The name of the kernel for an index of RSR.
const char* rsr_kernel(const KernelSet& kernels, RsrIndex index, bool floats);

}  // namespace rsr::linear
