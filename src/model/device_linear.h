// A linear layer's weights on a device.
#pragma once

#include <cstdint>
#include <memory>

#include "cuda/device.h"
#include "cuda/operations.h"
#include "linear/device_weight.h"
#include "model/linear_layer.h"

namespace rsr::model {

/// What a linear reads.
enum class DeviceInput : uint8_t {
  int8,   ///< quantised vectors
  floats  ///< vectors as they are
};

/// Immutable. Ternary weights are in the format that is fastest there: t2, or b1 for binary ones.
class DeviceLinear {
 public:
  /// Errors: no memory; a weight that devices have no kernel for (named by what it is).
  static Result<DeviceLinear> upload(cuda::Stream& stream, const Linear& linear);

  DeviceInput input() const { return input_; }
  int64_t rows() const { return rows_; }
  int64_t cols() const { return cols_; }
  /// The linear's own RMSNorm of its inputs; null: it has none.
  const float* norm() const { return norm_.as<float>(); }
  float norm_eps() const { return norm_eps_; }
  int64_t bytes() const {
    return dense() ? static_cast<int64_t>(dense_.bytes()) : weight_->nbytes();
  }

  /// Not ternary: without format and alphabet.
  bool dense() const { return weight_ == nullptr; }
  matrix::Format format() const { return weight_->impl().format; }
  matrix::Alphabet alphabet() const { return weight_->impl().alphabet; }

  /// For operations multiply and floats: y [batch][rows].
  cuda::PackedMatrix packed(float* y) const;
  /// For operation dense: all rows, without inputs.
  cuda::Dense dense_rows(float* y) const;

 private:
  Status upload_packed(cuda::Stream& stream, const Weight& weight);
  Status upload_dense(cuda::Stream& stream, const DenseTable& table);

  DeviceInput input_ = DeviceInput::floats;
  int64_t rows_ = 0;
  int64_t cols_ = 0;
  std::unique_ptr<const DeviceWeight> weight_;  // of ternary linears
  cuda::Memory dense_;
  bool is_f16_ = false;
  cuda::Memory norm_;
  float norm_eps_ = 0;
};

}  // namespace rsr::model
