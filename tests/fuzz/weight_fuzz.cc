// Bytes that are accepted as a weight are the only image of it, and multiply without reading
// outside, whatever the instruction set; repacking keeps every value.
#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "base/aligned.h"
#include "fuzz.h"
#include "linear/weight.h"
#include "linear/weight_header.h"
#include "rsr/linear.h"

namespace {

using rsr::matrix::Packed;

void check_products(const rsr::Weight& weight) {
  static const rsr::Context kContext = rsr::Context::create({.threads = 1}).value();
  std::vector<float> x(static_cast<size_t>(weight.cols()));
  for (size_t c = 0; c < x.size(); ++c) x[c] = static_cast<float>(c % 19) - 7.5f;
  std::vector<float> y(static_cast<size_t>(weight.rows()));
  const rsr::Product product{&weight, y};
  FUZZ_CHECK(multiply_quantised(kContext, {&product, 1}, x).ok());
  FUZZ_CHECK(multiply(kContext, weight, x, y).ok());
}

void check_same_values(const Packed& a, const Packed& b) {
  std::vector<int8_t> left(static_cast<size_t>(a.cols()));
  std::vector<int8_t> right(left.size());
  for (int64_t row = 0; row < a.rows(); ++row) {
    a.read_row(row, left.data());
    b.read_row(row, right.data());
    FUZZ_CHECK(left == right);
  }
}

/// Read in place with only its header checked: whatever the products are, nothing is read outside.
void load_unchecked(const std::vector<uint8_t>& image) {
  const auto bytes = std::make_shared<rsr::base::AlignedArray<uint8_t>>(image.size());
  std::copy(image.begin(), image.end(), bytes->data());
  for (const char* isa : {"", "reference"}) {
    const auto weight = rsr::weight_from_bytes(
        bytes->span(), {.isa = isa, .keeper = bytes, .check_contents = false});
    if (weight.ok() && weight->cols() <= 1 << 16 && weight->rows() <= 1 << 16) {
      check_products(*weight);
    }
  }
}

/// The checksum made right, so that a changed input comes further than to it.
std::vector<uint8_t> with_checksum(const uint8_t* data, size_t size) {
  std::vector<uint8_t> image(data, data + size);
  if (size >= rsr::linear::kWeightHeaderBytes) rsr::linear::write_checksum(image);
  return image;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::vector<uint8_t> image = with_checksum(data, size);
  load_unchecked(image);
  const auto weight = rsr::weight_from_bytes(image, {.isa = "reference"});
  if (!weight.ok()) return 0;
  FUZZ_CHECK(weight->notice().empty());
  FUZZ_CHECK(weight_to_bytes(*weight) == image);
  // Wide or high and empty is valid, and would only make the products slow.
  if (weight->cols() > 1 << 16 || weight->rows() > 1 << 16) return 0;
  check_products(*weight);
  const auto best = rsr::weight_from_bytes(image);
  FUZZ_CHECK(best.ok());
  if (const auto* packed = std::get_if<Packed>(&weight->impl().packed)) {
    check_same_values(*packed, std::get<Packed>(best->impl().packed));
  }
  check_products(*best);
  return 0;
}
