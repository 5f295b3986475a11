#include "cli/bench_model_gemm.h"

#include <algorithm>

#include "cli/timing.h"

namespace rsr::cli {

using model::Projection;

namespace {

// As many as the GEMM's own benchmark takes; more are no faster.
constexpr int64_t kMostAtOnce = 512;

}  // namespace

GemmTime::GemmTime(Context::Impl& context, const model::Model& model, int64_t tokens)
    : context_(context),
      tile_(std::min(tokens, kMostAtOnce)),
      times_(static_cast<double>(model.config.num_layers * tokens) / static_cast<double>(tile_)) {
  const model::LayerWeights& layer = model.layers.front();
  inputs_.reserve(4);  // products point at them
  add_input(layer, {Projection::q, Projection::k, Projection::v});
  add_input(layer, {Projection::o});
  add_input(layer, {Projection::gate, Projection::up});
  add_input(layer, {Projection::down});
}

void GemmTime::add_input(const model::LayerWeights& layer,
                         std::initializer_list<Projection> readers) {
  const int64_t cols = layer.at(*readers.begin()).cols();
  // In place of an output: what is needed for a moment is no memory of its own.
  std::vector<float>& x = y_;
  x.resize(std::max(x.size(), static_cast<size_t>(tile_ * cols)));
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i * 37 % 255) - 127.0f;
  inputs_.emplace_back().quantize(context_, x.data(), tile_, cols);
  for (const Projection reader : readers) {
    const auto* int8 = std::get_if<model::Int8Ternary>(&layer.at(reader).matrix);
    all_int8_ = all_int8_ && int8 != nullptr;
    if (int8 == nullptr) continue;
    products_.push_back({&int8->weight, &inputs_.back()});
    y_.resize(std::max(y_.size(), static_cast<size_t>(tile_ * int8->weight.rows())));
  }
}

void GemmTime::sample() {
  if (!all_int8_) return;
  double total = 0;
  for (const Product& product : products_) {
    double begin = 0;
    for (int i = 0; i < 2; ++i) {  // the first one warms up
      begin = now_seconds();
      linear::multiply(context_, *product.weight, *product.x, y_.data());
    }
    total += now_seconds() - begin;
  }
  samples_.push_back(total);
}

double GemmTime::seconds() const {
  return median_of(samples_) * times_;
}

int64_t GemmTime::nbytes() const {
  auto bytes = static_cast<int64_t>(y_.size() * sizeof(float));
  for (const linear::Activations& x : inputs_) bytes += x.batch() * x.stride();
  return bytes;
}

}  // namespace rsr::cli
