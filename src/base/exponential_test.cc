#include "base/exponential.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

namespace rsr::base {
namespace {

/// Distance in units of the last place.
double units_between(double a, double b) {
  return std::fabs(a - b) / (std::nextafter(b, HUGE_VAL) - b);
}

TEST(Exponential, IsThatOfTheLibraryToAUnit) {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> exponent(-60.0, 9.46);
  double most = 0;
  for (int i = 0; i < 1000000; ++i) {
    const double x = -std::exp2(exponent(random));
    most = std::max(most, units_between(exp_of_negative(x), std::exp(x)));
  }
  EXPECT_LE(most, 1.0);
  EXPECT_GT(most, 0.0);
}

TEST(Exponential, HasItsEnds) {
  EXPECT_EQ(exp_of_negative(0.0), 1.0);
  EXPECT_EQ(exp_of_negative(-0.0), 1.0);
  EXPECT_EQ(exp_of_negative(-1e-300), 1.0);
  EXPECT_GT(exp_of_negative(-707.9), std::numeric_limits<double>::min());
  EXPECT_LE(units_between(exp_of_negative(-707.9), std::exp(-707.9)), 1.0);
  EXPECT_EQ(exp_of_negative(-708.0), 0.0);
  EXPECT_EQ(exp_of_negative(-HUGE_VAL), 0.0);
  EXPECT_EQ(exp_of_negative(std::nan("")), 0.0);
}

/// Bits that a GPU must give, too.
TEST(Exponential, HasFixedBits) {
  static_assert(exp_of_negative(-1.0) == 0x1.78b56362cef38p-2);
  EXPECT_EQ(exp_of_negative(-1.0), 0x1.78b56362cef38p-2);
}

}  // namespace
}  // namespace rsr::base
