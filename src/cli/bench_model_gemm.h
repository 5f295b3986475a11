// The products of a prompt by themselves: what the rest of the model is measured against.
#pragma once

#include <cstdint>
#include <vector>

#include "linear/activations.h"
#include "linear/context.h"
#include "model/weights.h"

namespace rsr::cli {

/// Times the matrices of one layer one by one, each warm and on inputs that are quantised already,
/// so that nothing but the product is in the figure: what `rsr bench matvec --batch N` times.
class GemmTime {
 public:
  GemmTime(Context::Impl& context, const model::Model& model, int64_t tokens);

  void sample();

  /// Of all layers and tokens, the median of the samples; 0 where not all matrices take int8
  /// inputs.
  double seconds() const;

  /// Memory of inputs and outputs.
  int64_t nbytes() const;

 private:
  struct Product {
    const Weight* weight;
    const linear::Activations* x;
  };
  void add_input(const model::LayerWeights& layer,
                 std::initializer_list<model::Projection> readers);

  Context::Impl& context_;
  int64_t tile_;
  double times_;  // layers, and tiles of each
  std::vector<linear::Activations> inputs_;
  std::vector<Product> products_;
  std::vector<float> y_;  // of the largest matrix
  std::vector<double> samples_;
  bool all_int8_ = true;
};

}  // namespace rsr::cli
