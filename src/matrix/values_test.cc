#include "matrix/values.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

namespace rsr::matrix {
namespace {

std::vector<int8_t> all_values(const MatrixView& view) {
  EXPECT_TRUE(check_matrix(view, "matrix").ok()) << check_matrix(view, "matrix").message();
  const RowReader reader(view);
  std::vector<int8_t> values(view.rows() * view.cols());
  for (int64_t r = 0; r < view.rows(); ++r) reader.read(r, values.data() + r * view.cols());
  return values;
}

std::string error_of(const MatrixView& view) {
  return check_matrix(view, "W").message();
}

TEST(Values, DenseKindsAreReadAsTheyAre) {
  const std::vector<int8_t> t = {-1, 0, 1, 1, -1, 0};
  EXPECT_EQ(all_values(ternary(t, 2, 3)), t);
  const std::vector<int8_t> b = {0, 1, 1, 0};
  EXPECT_EQ(all_values(binary(b, 2, 2)), b);
  const std::vector<int8_t> s = {-1, 1, 1};
  EXPECT_EQ(all_values(signs(s, 3, 1)), s);
}

TEST(Values, BitsAreReadLowestFirstAndRowsStartOnBytes) {
  const std::vector<uint8_t> bits = {0b10000001, 0b1, 0b00000010, 0b0};  // 2 rows of 9 columns
  EXPECT_EQ(all_values(binary_bits(bits, 2, 9)),
            (std::vector<int8_t>{1, 0, 0, 0, 0, 0, 0, 1, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(all_values(sign_bits(std::vector<uint8_t>{0b101}, 1, 3)),
            (std::vector<int8_t>{1, -1, 1}));
}

// The worked example of the packing in transformers' documentation.
TEST(Values, HuggingFacePacking) {
  const std::vector<uint8_t> bytes = {0xA1, 0x18, 0x90, 0x0A};
  EXPECT_EQ(all_values(packed_2bit(bytes, 8, 2)),
            (std::vector<int8_t>{0, -1, -1, 1, -1, 1, -1, 1, 1, 0, 0, -1, 1, -1, 1, -1}));
}

// t_i = ((i * i + floor(i / 5)) mod 3) - 1 as an 8 x 32 matrix, packed by an independent program.
TEST(Values, HuggingFacePackingOfALongerPattern) {
  const std::string hex =
      "a4190508694601429a518090661420a4190508694601429a518090661420a419"
      "0508694601429a518090661420a4190508694601429a518090661420a4190508";
  std::vector<uint8_t> bytes;
  for (size_t i = 0; i < hex.size(); i += 2) {
    bytes.push_back(static_cast<uint8_t>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  const std::vector<int8_t> values = all_values(packed_2bit(bytes, 8, 32));
  for (int i = 0; i < 256; ++i) EXPECT_EQ(values[i], (i * i + i / 5) % 3 - 1) << i;
}

TEST(Values, HuggingFacePackingOfRowsThatFourDoesNotDivide) {
  // 3 rows: a quarter is one row, the fourth is absent and its bits mean nothing.
  EXPECT_EQ(all_values(packed_2bit(std::vector<uint8_t>{0b11'10'01'00}, 3, 1)),
            (std::vector<int8_t>{-1, 0, 1}));
}

TEST(Values, CodeThreeIsNamedByRowAndColumn) {
  const std::vector<uint8_t> bytes = {0x00, 0x30};  // byte (0, 1), bits 5:4 = row 2
  EXPECT_EQ(error_of(packed_2bit(bytes, 4, 2)),
            "W: row 2, column 1 has code 3, which means no ternary value");
}

TEST(Values, ForeignValuesAreNamedByRowAndColumn) {
  const std::vector<int8_t> v = {0, 1, 2, 0};
  EXPECT_EQ(error_of(ternary(v, 2, 2)),
            "W: row 1, column 0 is 2; a ternary matrix holds -1, 0 and 1 only");
  EXPECT_EQ(error_of(binary(std::vector<int8_t>{1, -1}, 1, 2)),
            "W: row 0, column 1 is -1; a binary matrix holds 0 and 1 only");
  EXPECT_EQ(error_of(signs(std::vector<int8_t>{1, 0}, 2, 1)),
            "W: row 1, column 0 is 0; a matrix of signs holds -1 and 1 only");
}

TEST(Values, ShapesAndLengthsAreChecked) {
  const std::vector<int8_t> v(6);
  EXPECT_EQ(error_of(ternary(v, 2, 2)), "W: 2 x 2 needs 4 elements, the buffer has 6");
  EXPECT_FALSE(check_matrix(ternary(v, 0, 6), "W").ok());
  EXPECT_FALSE(check_matrix(ternary(v, -1, -6), "W").ok());
  EXPECT_EQ(check_matrix(ternary(v, 1, kMaxCols + 1), "W").code(), ErrorCode::limit_exceeded);
  EXPECT_EQ(check_matrix(ternary(v, INT64_MAX, 2), "W").code(), ErrorCode::limit_exceeded);
  EXPECT_EQ(error_of(binary_bits(std::vector<uint8_t>(3), 2, 9)),
            "W: 2 x 9 needs 4 elements, the buffer has 3");
}

TEST(Values, AbsmeanFollowsTheRule) {
  // Mean magnitude 0.5: 0.25 is the tie, which goes to the even 0, and 0.75 to 2, clamped to 1.
  const std::vector<float> w = {0.25f, -0.25f, 0.75f, -0.75f, 0.5f, -0.5f, 0.0f, 1.0f};
  const MatrixView view = absmean(w, 2, 4);
  EXPECT_EQ(all_values(view), (std::vector<int8_t>{0, 0, 1, -1, 1, -1, 0, 1}));
  EXPECT_FLOAT_EQ(RowReader(view).scale(), 0.5f);
  EXPECT_FLOAT_EQ(RowReader(absmean(std::vector<float>(4), 2, 2)).scale(), 1e-5f);
}

TEST(Values, FloatsMustBeFinite) {
  std::vector<float> w(6, 1.0f);
  w[4] = std::numeric_limits<float>::infinity();
  EXPECT_EQ(error_of(absmean(w, 2, 3)), "W: row 1, column 1 is inf; weights must be finite");
  w[4] = std::nanf("");
  EXPECT_FALSE(check_matrix(absmean(w, 2, 3), "W").ok());
}

}  // namespace
}  // namespace rsr::matrix
