#include "model/identity.h"

#include <features.h>
#ifdef __GLIBC__
#include <gnu/libc-version.h>
#endif

#include <algorithm>
#include <cstdint>
#include <set>
#include <span>
#include <vector>

#include "base/checksum.h"
#include "base/cpu.h"
#include "linear/weight.h"
#include "model/checked_header.h"
#include "rsr/version.h"

namespace rsr::model {
namespace {

/// Small enough for all threads to have work, large enough to be read in one go.
constexpr size_t kPiece = size_t{4} << 20;

/// Names, types, shapes and bytes of all tensors; shards make no difference.
uint64_t tensors_hash(base::ThreadPool& pool, const io::TensorStore& store) {
  std::string text;
  std::vector<std::span<const std::byte>> pieces;
  for (const auto& [name, tensor] : store.tensors()) {
    text += name + " " + tensor.describe() + "\n";
    for (size_t at = 0; at < tensor.data.size(); at += kPiece) {
      pieces.push_back(tensor.data.subspan(at, std::min(kPiece, tensor.data.size() - at)));
    }
  }
  std::vector<uint64_t> hashes(pieces.size());
  pool.parallel_for(static_cast<int64_t>(pieces.size()), [&](base::Range range) {
    for (auto i = static_cast<size_t>(range.begin); i < static_cast<size_t>(range.end); ++i) {
      hashes[i] = base::checksum(pieces[i]);
    }
  });
  for (const uint64_t hash : hashes) text += hex(hash);
  return base::checksum(std::as_bytes(std::span(text)));
}

std::string libc_version() {
#ifdef __GLIBC__
  return std::string("glibc ") + gnu_get_libc_version();
#else
  return "another libc";
#endif
}

std::string float_formats(const Model& model) {
  std::set<std::string> formats;
  for (const LayerWeights& layer : model.layers) {
    for (const Linear& linear : layer.projections) {
      const auto* floats = std::get_if<FloatTernary>(&linear.matrix);
      if (floats == nullptr) continue;
      const auto* packed = std::get_if<matrix::Packed>(&floats->weight.impl().packed);
      formats.insert(packed != nullptr ? matrix::format_name(packed->format()) : "rsr");
    }
  }
  std::string text;
  for (const std::string& format : formats) text += (text.empty() ? "" : "+") + format;
  return text.empty() ? "none" : text;
}

}  // namespace

std::string model_identity(base::ThreadPool& pool, const Model& model) {
  const ModelConfig& config = model.config;
  const std::string weights = model.prepared.has_value() ? model.prepared->header_hash
                                                         : hex(tensors_hash(pool, model.store));
  return config.model_type + ", " + std::to_string(config.num_layers) + " layers of " +
         std::to_string(config.hidden_size) + ", weights " + weights + ", config " +
         hex(model.config_hash);
}

std::string arithmetic_identity(const Context::Impl& context, const Model& model) {
  return std::to_string(kArithmeticVersion) + ", rsr " + version() + ", kernels " +
         base::isa_name(context.isa) + ", processor " + base::isa_name(base::detect_isa()) + ", " +
         libc_version() + ", float formats " + float_formats(model);
}

}  // namespace rsr::model
