// A prepared file that is accepted, quickly or in full, can be loaded and multiplied without
// reading outside, and the full check accepts nothing that the quick one refuses.
#include <string>
#include <vector>

#include "checked_file.h"
#include "fuzz.h"
#include "model/load_linear.h"
#include "model/prepared.h"

namespace {

using rsr::model::FileCheck;

void multiply(const rsr::Context& context, const rsr::Weight& weight) {
  if (weight.cols() > 1 << 14 || weight.rows() > 1 << 14) return;
  std::vector<float> x(static_cast<size_t>(weight.cols()), 1.0f);
  std::vector<float> y(static_cast<size_t>(weight.rows()));
  FUZZ_CHECK(rsr::multiply(context, weight, x, y).ok());
}

/// Every image as a weight for this machine and for the portable kernels.
void load_images(const rsr::Context& context, const rsr::io::SafetensorsFile& file,
                 const rsr::model::PreparedFile& prepared) {
  for (const auto& [name, tensor] : file.tensors()) {
    if (!name.ends_with(rsr::model::kImageSuffix)) continue;
    const auto* bytes = reinterpret_cast<const uint8_t*>(tensor.data.data());
    for (const char* isa : {"", "reference"}) {
      const auto weight = rsr::weight_from_bytes(
          {bytes, tensor.data.size()}, {.isa = isa,
                                        .keeper = prepared.mapping,
                                        .check_contents = prepared.check == FileCheck::contents});
      if (weight.ok()) multiply(context, *weight);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const rsr::Context kContext = rsr::Context::create({.threads = 1}).value();
  static rsr::base::ThreadPool pool(1);
  const std::string bytes = rsr::fuzz::with_hash(std::string(rsr::fuzz::as_text(data, size)));
  const std::string path = rsr::fuzz::file_of(bytes);
  if (path.empty()) return 0;
  const auto file = rsr::io::SafetensorsFile::open(path);
  if (!file.ok()) return 0;
  const auto quick = check_prepared(*file, FileCheck::quick, pool);
  const auto full = check_prepared(*file, FileCheck::contents, pool);
  FUZZ_CHECK(quick.ok() || !full.ok());
  if (quick.ok()) load_images(kContext, *file, *quick);
  if (full.ok()) load_images(kContext, *file, *full);
  return 0;
}
