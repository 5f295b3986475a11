// Element types, and the values of float tensors.
#include <cstring>
#include <sstream>

#include "base/check.h"
#include "base/float16.h"
#include "io/header.h"
#include "io/safetensors.h"

namespace rsr::io {
namespace {

constexpr DTypeInfo kDTypes[] = {
    {"BOOL", DType::bool8, 8},
    {"U8", DType::u8, 8},
    {"I8", DType::i8, 8},
    {"I16", DType::i16, 16},
    {"U16", DType::u16, 16},
    {"F16", DType::f16, 16},
    {"BF16", DType::bf16, 16},
    {"I32", DType::i32, 32},
    {"U32", DType::u32, 32},
    {"F32", DType::f32, 32},
    {"I64", DType::i64, 64},
    {"U64", DType::u64, 64},
    {"F64", DType::f64, 64},
    {"F4", DType::other, 4},
    {"F6_E2M3", DType::other, 6},
    {"F6_E3M2", DType::other, 6},
    {"C64", DType::other, 64},
    {"F8_E5M2", DType::other, 8},
    {"F8_E4M3", DType::other, 8},
    {"F8_E8M0", DType::other, 8},
    {"F8_E4M3FNUZ", DType::other, 8},
    {"F8_E5M2FNUZ", DType::other, 8},
};

const DTypeInfo& info_of(DType dtype) {
  for (const DTypeInfo& info : kDTypes) {
    if (info.dtype == dtype) return info;
  }
  RSR_CHECK(false);
  return kDTypes[0];
}

/// Reads through memcpy, as old files give tensors any alignment.
std::vector<float> widen(std::span<const std::byte> data, float (*convert)(uint16_t)) {
  std::vector<float> values(data.size() / sizeof(uint16_t));
  for (size_t i = 0; i < values.size(); ++i) {
    uint16_t bits = 0;
    std::memcpy(&bits, data.data() + i * sizeof bits, sizeof bits);
    values[i] = convert(bits);
  }
  return values;
}

}  // namespace

const DTypeInfo* find_dtype(std::string_view name) {
  for (const DTypeInfo& info : kDTypes) {
    if (info.name == name) return &info;
  }
  return nullptr;
}

const char* dtype_code(DType dtype) {
  RSR_CHECK(dtype != DType::other);
  return info_of(dtype).name.data();  // a literal, so it ends with a zero
}

unsigned dtype_bits(DType dtype) {
  RSR_CHECK(dtype != DType::other);
  return info_of(dtype).bits;
}

const char* dtype_name(DType dtype) {
  switch (dtype) {
    case DType::bool8:
      return "bool";
    case DType::u8:
      return "u8";
    case DType::i8:
      return "i8";
    case DType::i16:
      return "i16";
    case DType::u16:
      return "u16";
    case DType::f16:
      return "f16";
    case DType::bf16:
      return "bf16";
    case DType::i32:
      return "i32";
    case DType::u32:
      return "u32";
    case DType::f32:
      return "f32";
    case DType::i64:
      return "i64";
    case DType::u64:
      return "u64";
    case DType::f64:
      return "f64";
    case DType::other:
      break;
  }
  return "other";
}

int64_t Tensor::elements() const {
  // Unsigned: the product is checked when the file is opened, but not its parts, of which one may
  // overflow before a later extent is 0.
  uint64_t count = 1;
  for (const int64_t extent : shape) count *= static_cast<uint64_t>(extent);
  return static_cast<int64_t>(count);
}

std::string Tensor::describe() const {
  std::ostringstream out;
  out << dtype_name(dtype) << " [";
  for (size_t i = 0; i < shape.size(); ++i) out << (i == 0 ? "" : ", ") << shape[i];
  out << "]";
  return out.str();
}

Result<std::vector<float>> to_floats(const Tensor& tensor) {
  if (tensor.dtype == DType::f16) return widen(tensor.data, base::from_f16);
  if (tensor.dtype == DType::bf16) return widen(tensor.data, base::from_bf16);
  if (tensor.dtype != DType::f32) {
    return base::error(ErrorCode::unsupported, "tensor \"", tensor.name, "\" is ",
                       tensor.describe(), ", expected f32, f16 or bf16");
  }
  std::vector<float> values(tensor.data.size() / sizeof(float));
  if (!values.empty()) {
    std::memcpy(values.data(), tensor.data.data(), values.size() * sizeof(float));
  }
  return values;
}

}  // namespace rsr::io
