// A dense matrix of 16-bit floats: an embedding, a head, a projection that is not ternary.
#pragma once

#include <cstdint>
#include <optional>

#include "base/aligned.h"
#include "base/thread_pool.h"
#include "io/safetensors.h"
#include "linear/linear.h"
#include "rsr/status.h"

namespace rsr::model {

/// In place in the model's file; copied from an odd address, and from f32.
struct DenseTable {
  DenseTable() = default;
  DenseTable(DenseTable&&) = default;  // moved only: the view of a copied table would point
  DenseTable& operator=(DenseTable&&) = default;  // into the first one's memory

  linear::Dense view;
  base::AlignedArray<uint16_t> copy;

  int64_t bytes() const { return view.rows * view.cols * 2; }
  /// out[cols] = a row, widened exactly.
  void read_row(int64_t row, float* out) const noexcept;
};

/// The tensor, of shape [rows, cols], as a table. An f32 tensor whose numbers all have an exact
/// bf16 or f16 form becomes one; any other type is an error that names the tensor.
Result<DenseTable> make_dense(const io::Tensor& tensor);

/// The first of the rows that holds a NaN or an infinity, or -1.
int64_t first_row_not_finite(const linear::Dense& table, base::Range rows);

/// The f16 that is exactly `value`, when there is one.
std::optional<uint16_t> exact_f16(float value);

}  // namespace rsr::model
