// Prints the instruction set in use, and a product.
#include <rsr/rsr.h>

#include <cstdio>
#include <vector>

int main() {
  const std::vector<int8_t> w = {1, 0, -1, -1, 1, 1};
  const std::vector<float> x = {1, 2, 4};
  std::vector<float> y(2);
  const auto context = rsr::Context::create();
  if (!context.ok()) {
    std::fprintf(stderr, "%s\n", context.status().message().c_str());
    return 1;
  }
  const rsr::Weight weight = rsr::prepare(rsr::ternary(w, 2, 3)).value();
  if (!rsr::multiply(*context, weight, x, y).ok()) return 1;
  std::printf("%s %s %g %g\n", rsr::version(), context->isa().c_str(), y[0], y[1]);
}
