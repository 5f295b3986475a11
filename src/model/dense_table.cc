#include "model/dense_table.h"

#include <bit>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "base/float16.h"

namespace rsr::model {
namespace {

using linear::Float16;

std::optional<uint16_t> exact_bf16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0xffffU) != 0) return std::nullopt;
  return static_cast<uint16_t>(bits >> 16);
}

float float_at(const std::byte* data, size_t index) {
  float value = 0;
  std::memcpy(&value, data + index * sizeof value, sizeof value);
  return value;
}

/// All numbers of an f32 tensor in 16 bits; empty when one of them has no exact form.
template <class Narrow>
base::AlignedArray<uint16_t> narrowed(const io::Tensor& tensor, const Narrow& narrow) {
  const size_t count = tensor.data.size() / sizeof(float);
  base::AlignedArray<uint16_t> bits(count);
  for (size_t i = 0; i < count; ++i) {
    const std::optional<uint16_t> exact = narrow(float_at(tensor.data.data(), i));
    if (!exact.has_value()) return {};
    bits[i] = *exact;
  }
  return bits;
}

Result<DenseTable> from_f32(const io::Tensor& tensor) {
  DenseTable table;
  table.view.format = Float16::bf16;
  table.copy = narrowed(tensor, exact_bf16);
  if (table.copy.empty()) {
    table.view.format = Float16::f16;
    table.copy = narrowed(tensor, exact_f16);
  }
  if (table.copy.empty()) {
    return base::error(ErrorCode::unsupported, tensor.name, ": is ", tensor.describe(),
                       ", with numbers that neither bf16 nor f16 can hold; dense matrices of 32 "
                       "bits are not supported");
  }
  return table;
}

}  // namespace

std::optional<uint16_t> exact_f16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = bits >> 16 & 0x8000U;
  const float magnitude = std::fabs(value);
  if (!std::isfinite(value)) {  // all NaN become one: which it was does not matter
    return static_cast<uint16_t>(sign | (std::isnan(value) ? 0x7e00U : 0x7c00U));
  }
  uint32_t half = 0;
  if (magnitude >= 0x1p-14F) {  // normal: the exponent moves by 127 - 15, 13 bits go
    const uint32_t wide = bits & 0x7fffffffU;
    if (magnitude > 65504.0F || (wide & 0x1fffU) != 0) return std::nullopt;
    half = (wide >> 13) - (112U << 10);
  } else {  // zero or subnormal: a multiple of 2^-24
    const float steps = magnitude * 0x1p24F;
    half = static_cast<uint32_t>(steps);
    if (static_cast<float>(half) != steps) return std::nullopt;
  }
  return static_cast<uint16_t>(sign | half);
}

void DenseTable::read_row(int64_t row, float* out) const noexcept {
  const uint16_t* in = view.weight + row * view.cols;
  if (view.format == Float16::bf16) {
    for (int64_t i = 0; i < view.cols; ++i) out[i] = base::from_bf16(in[i]);
  } else {
    for (int64_t i = 0; i < view.cols; ++i) out[i] = base::from_f16(in[i]);
  }
}

Result<DenseTable> make_dense(const io::Tensor& tensor) {
  DenseTable table;
  const std::byte* data = tensor.data.data();
  if (tensor.dtype == io::DType::f32) {
    RSR_ASSIGN_OR_RETURN(table, from_f32(tensor));
  } else if (tensor.dtype == io::DType::bf16 || tensor.dtype == io::DType::f16) {
    table.view.format = tensor.dtype == io::DType::bf16 ? Float16::bf16 : Float16::f16;
    if (reinterpret_cast<uintptr_t>(data) % alignof(uint16_t) != 0) {
      table.copy = base::AlignedArray<uint16_t>(tensor.data.size() / sizeof(uint16_t));
      std::memcpy(table.copy.data(), data, tensor.data.size());
    }
  } else {
    return base::error(ErrorCode::unsupported, tensor.name, ": is ", tensor.describe(),
                       ", expected bf16 or f16");
  }
  table.view.weight =
      table.copy.empty() ? reinterpret_cast<const uint16_t*>(data) : table.copy.data();
  table.view.rows = tensor.shape[0];
  table.view.cols = tensor.shape[1];
  return table;
}

int64_t first_row_not_finite(const linear::Dense& table, base::Range rows) {
  const unsigned exponent = table.format == Float16::bf16 ? 0x7f80U : 0x7c00U;
  for (int64_t row = rows.begin; row < rows.end; ++row) {
    const uint16_t* values = table.weight + row * table.cols;
    unsigned found = 0;  // without a branch, which compilers vectorise
    for (int64_t i = 0; i < table.cols; ++i) {
      found |= (values[i] & exponent) == exponent ? 1U : 0U;
    }
    if (found != 0) return row;
  }
  return -1;
}

}  // namespace rsr::model
