#include "cli/bench_device_matrix.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "cli/bench_matvec.h"
#include "cli/print.h"
#include "cuda/groups/choose_k.h"
#include "cuda/groups/device_groups.h"
#include "cuda/operations.h"
#include "linear/device_weight.h"

namespace rsr::cli {
namespace {

constexpr size_t kBoundary = 256;  // of each copy

double bits_per_weight(int64_t bytes, int64_t rows, int64_t cols) {
  return 8.0 * static_cast<double>(bytes) / (static_cast<double>(rows) * static_cast<double>(cols));
}

/// What models use: t2, t5 (compact), b1.
class PackedOnDevice : public DeviceMatrix {
 public:
  explicit PackedOnDevice(DeviceWeight weight) : weight_(std::move(weight)) {}

  Status reserve(cuda::Stream& stream, size_t copies) override {
    const cuda::Memory& lines = weight_.impl().lines;
    return copies_.reserve(stream, lines.data(), lines.bytes(), copies);
  }
  int64_t nbytes() const override { return weight_.nbytes(); }
  std::string describe() const override {
    return print("%s, %.2f bits per weight", matrix::format_name(weight_.impl().format),
                 bits_per_weight(nbytes(), weight_.rows(), weight_.cols()));
  }
  std::string kernel(Activation activation) const override {
    return std::string(activation == Activation::fp32 ? "floats_" : "multiply_") +
           matrix::format_name(weight_.impl().format);
  }

  Status multiply(cuda::Stream& stream, size_t copy, const DeviceVectors& x) const override {
    cuda::PackedMatrix m = weight_.impl().matrix;
    m.lines = copies_.at(copy);
    if (x.activation == Activation::int8) {
      m.sums = x.results.as<int32_t>();
    } else {
      m.y = x.results.as<float>();
    }
    return x.activation == Activation::fp32 ? floats(stream, m, x) : integers(stream, m, x);
  }

 private:
  Status integers(cuda::Stream& stream, const cuda::PackedMatrix& m, const DeviceVectors& x) const {
    cuda::Multiply p;
    p.format = weight_.impl().format;
    p.alphabet = weight_.impl().alphabet;
    p.count = 1;
    p.matrices[0] = m;
    p.x = x.int8.as<int8_t>();
    p.x_stride = x.int8_stride;
    p.batch = x.batch;
    p.x_sums = x.sums.as<int32_t>();
    p.token_scales = x.scales.as<float>();
    return stream.run(&cuda::Operations::multiply, p);
  }
  Status floats(cuda::Stream& stream, const cuda::PackedMatrix& m, const DeviceVectors& x) const {
    cuda::Floats p;
    p.format = weight_.impl().format;
    p.alphabet = weight_.impl().alphabet;
    p.w = m;
    p.x = x.floats.data();
    p.x_stride = x.cols;
    p.cols = static_cast<int32_t>(x.cols);
    p.batch = x.batch;
    return stream.run(&cuda::Operations::floats, p);
  }

  DeviceWeight weight_;
  DeviceCopies copies_;
};

/// RSR in the column-group form of its paper.
class GroupsOnDevice : public DeviceMatrix {
 public:
  explicit GroupsOnDevice(cuda::GroupsIndex index) : index_(std::move(index)) {}

  Status reserve(cuda::Stream& stream, size_t copies) override {
    while (copies_.size() < copies) {
      RSR_ASSIGN_OR_RETURN(cuda::DeviceGroups copy,
                           cuda::DeviceGroups::create(stream, index_, /*signs=*/false));
      copies_.push_back(std::move(copy));
    }
    return {};
  }
  int64_t nbytes() const override { return index_.nbytes(); }
  std::string describe() const override {
    return print("column groups of %d rows, %.2f bits per weight", k(),
                 bits_per_weight(nbytes(), index_.rows, index_.cols));
  }
  std::string kernel(Activation /*activation*/) const override { return "groups"; }
  int k() const override { return index_.k; }

  Status multiply(cuda::Stream& stream, size_t copy, const DeviceVectors& x) const override {
    cuda::Groups p = copies_[copy].params();
    p.x = x.int8.as<int8_t>();
    p.x_stride = x.int8_stride;
    p.batch = x.batch;
    p.sums = x.results.as<int32_t>();
    p.stride = x.rows;
    return stream.run(&cuda::Operations::groups, p);
  }

 private:
  cuda::GroupsIndex index_;
  std::vector<cuda::DeviceGroups> copies_;
};

Result<std::unique_ptr<DeviceMatrix>> make_packed(cuda::Stream& stream,
                                                  const std::vector<int8_t>& matrix,
                                                  const MatvecBenchOptions& o) {
  const MatrixView view =
      o.bits == "binary" ? binary(matrix, o.rows, o.cols) : ternary(matrix, o.rows, o.cols);
  RSR_ASSIGN_OR_RETURN(const Weight weight, prepare(view));
  RSR_ASSIGN_OR_RETURN(DeviceWeight uploaded,
                       linear::upload(stream, weight, {.compact = o.algorithm == "t5"}));
  return std::unique_ptr<DeviceMatrix>(new PackedOnDevice(std::move(uploaded)));
}

/// With the k that is asked for, or the one that is fastest on this device.
Result<std::unique_ptr<DeviceMatrix>> make_groups(cuda::Stream& stream,
                                                  const std::vector<int8_t>& matrix,
                                                  const MatvecBenchOptions& o) {
  const auto alphabet = o.bits == "binary" ? segment::Alphabet::binary : segment::Alphabet::ternary;
  const segment::RowSource source = [&](int64_t row, int8_t* out) {
    std::copy_n(matrix.data() + row * o.cols, o.cols, out);
  };
  int k = o.k;
  if (k == 0) {
    const std::vector<int> likely = cuda::likely_k(alphabet, o.cols);
    RSR_ASSIGN_OR_RETURN(
        const std::vector<cuda::TimeOfK> times,
        cuda::choose_k(stream, source, o.rows, o.cols, likely,
                       {.alphabet = alphabet, .batch = static_cast<int>(o.batch)}));
    k = cuda::fastest_k(times);
  }
  RSR_ASSIGN_OR_RETURN(const segment::ColumnGroups groups,
                       segment::build(source, o.rows, o.cols, cuda::device_options(alphabet, k)));
  RSR_ASSIGN_OR_RETURN(cuda::GroupsIndex index, cuda::pack_groups(groups));
  return std::unique_ptr<DeviceMatrix>(new GroupsOnDevice(std::move(index)));
}

}  // namespace

Status DeviceCopies::reserve(cuda::Stream& stream, const void* first, size_t bytes, size_t count) {
  first_ = static_cast<const uint8_t*>(first);
  if (count <= count_) return {};
  stride_ = (bytes + kBoundary - 1) / kBoundary * kBoundary;
  count_ = 1;
  others_ = cuda::Memory();  // before there is more
  if (count == 1) return {};
  RSR_ASSIGN_OR_RETURN(others_, cuda::Memory::create(stream.device(), (count - 1) * stride_));
  for (; count_ < count; ++count_) {
    uint8_t* to = others_.as<uint8_t>() + (count_ - 1) * stride_;
    RSR_RETURN_IF_ERROR(stream.copy_on_device(to, first, bytes));
  }
  return stream.wait();
}

const uint8_t* DeviceCopies::at(size_t copy) const {
  RSR_CHECK_OP(copy, <, count_);
  return copy == 0 ? first_ : others_.as<uint8_t>() + (copy - 1) * stride_;
}

Result<std::unique_ptr<DeviceMatrix>> make_device_matrix(cuda::Stream& stream,
                                                         const std::vector<int8_t>& matrix,
                                                         const MatvecBenchOptions& o) {
  return o.algorithm == "rsr" ? make_groups(stream, matrix, o) : make_packed(stream, matrix, o);
}

}  // namespace rsr::cli
