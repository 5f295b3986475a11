// Prepare a ternary matrix once, multiply it with a vector.
#include <rsr/rsr.h>

#include <cstdio>
#include <vector>

int main() {
  const std::vector<int8_t> w = {1,  0,  -1, 1,  // 3 rows
                                 -1, -1, 0,  0,  // 4 columns
                                 0,  1,  1,  -1};
  const std::vector<float> x = {1, 2, 3, 4};
  std::vector<float> y(3);
  const rsr::Context context = rsr::Context::create().value();
  const rsr::Weight weight = rsr::prepare(rsr::ternary(w, 3, 4), {.scale = 0.5f}).value();
  if (const rsr::Status status = rsr::multiply(context, weight, x, y); !status.ok()) {
    std::fprintf(stderr, "error: %s\n", status.message().c_str());
    return 1;
  }
  std::printf("y = %g %g %g\n", y[0], y[1], y[2]);
}
