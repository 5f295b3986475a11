// cuBLAS on a GPU: bf16 in and out, or int8 in and int32 out. Vectors and results stay in the
// device's memory in these types, so that nothing but the product is timed, in a graph as `rsr
// bench matvec
// --device cuda` has it. --threads and --pin mean nothing here.
#include <cublas_v2.h>
#include <cuda_runtime.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <stdexcept>

#include "cli/bench_device_matrix.h"
#include "cli/bench_device_timing.h"
#include "cuda/device.h"
#include "rivals/rival.h"

namespace rsr::rivals {
namespace {

constexpr size_t kWorkspaceBytes = size_t{32} << 20;  // what cuBLAS wants on the newest devices

void must(const Status& status) {
  if (!status.ok()) throw std::runtime_error(status.message());
}
template <class T>
T must(Result<T> result) {
  must(result.status());
  return std::move(result).value();
}
Status checked(cublasStatus_t code, const char* what) {
  if (code == CUBLAS_STATUS_SUCCESS) return {};
  return {ErrorCode::unsupported, std::string(what) + ": " + cublasGetStatusString(code)};
}

uint16_t to_bf16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  return static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);  // ties to even
}
float from_bf16(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

/// A stream of this program's, which cuBLAS can be told of.
cudaStream_t create_stream(const cuda::Device& device) {
  cudaStream_t stream = nullptr;
  if (cudaSetDevice(device.index()) != cudaSuccess ||
      cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) != cudaSuccess) {
    throw std::runtime_error("no stream on " + device.describe());
  }
  return stream;
}

class Cublas {
 public:
  Cublas(const Options& o, const cuda::Device& device, const std::vector<int8_t>& w)
      : o_(o),
        handle_of_stream_(create_stream(device)),
        stream_(cuda::Stream::borrow(device, handle_of_stream_)) {
    must(checked(cublasCreate(&handle_), "cublasCreate"));
    must(checked(cublasSetStream(handle_, handle_of_stream_), "cublasSetStream"));
    workspace_ = must(cuda::Memory::create(device, kWorkspaceBytes));
    must(checked(cublasSetWorkspace(handle_, workspace_.data(), kWorkspaceBytes),
                 "cublasSetWorkspace"));
    y_ = must(
        cuda::Memory::create(device, static_cast<size_t>(o.batch * o.rows) * (is_int8() ? 4 : 2)));
    make_vectors();
    if (is_int8()) {
      w_ = must(cuda::upload<int8_t>(stream_, w));
    } else {
      std::vector<uint16_t> bf16(w.size());
      std::transform(w.begin(), w.end(), bf16.begin(), to_bf16);
      w_ = must(cuda::upload<uint16_t>(stream_, bf16));
    }
    reserve(1);
  }
  Cublas(const Cublas&) = delete;
  Cublas& operator=(const Cublas&) = delete;
  ~Cublas() {
    cublasDestroy(handle_);
    cudaStreamDestroy(handle_of_stream_);
  }

  Description description() const {
    return {.name = "cublas-" + o_.variant,
            .kernel = "cublasGemmEx",
            .isa = "",
            .format = o_.variant,
            .activation = o_.variant,
            .tolerance = is_int8() ? 0 : 1e-2};
  }
  bool is_int8() const { return o_.variant == "int8"; }
  cuda::Stream& stream() { return stream_; }
  int64_t nbytes() const { return static_cast<int64_t>(w_.bytes()); }
  void reserve(size_t copies) { must(copies_.reserve(stream_, w_.data(), w_.bytes(), copies)); }

  /// y[batch, rows] = W x, row-major: for cuBLAS, whose columns follow each other, W transposed.
  Status ask(size_t copy) {
    const auto rows = static_cast<int>(o_.rows);
    const auto cols = static_cast<int>(o_.cols);
    const auto batch = static_cast<int>(o_.batch);
    const cudaDataType in = is_int8() ? CUDA_R_8I : CUDA_R_16BF;
    const cudaDataType out = is_int8() ? CUDA_R_32I : CUDA_R_16BF;
    const int32_t integers[] = {1, 0};
    const float floats[] = {1, 0};
    const void* one = is_int8() ? static_cast<const void*>(&integers[0]) : &floats[0];
    const void* zero = is_int8() ? static_cast<const void*>(&integers[1]) : &floats[1];
    return checked(
        cublasGemmEx(handle_, CUBLAS_OP_T, CUBLAS_OP_N, rows, batch, cols, one, copies_.at(copy),
                     in, cols, x_.data(), in, cols, zero, y_.data(), out, rows,
                     is_int8() ? CUBLAS_COMPUTE_32I : CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT),
        "cublasGemmEx");
  }

  /// What was multiplied, rounded as it was, and the last results.
  const std::vector<float>& vectors() const { return x_floats_; }
  std::vector<float> results() {
    std::vector<float> y(static_cast<size_t>(o_.batch * o_.rows));
    if (is_int8()) {
      const auto integers = read<int32_t>(y.size());
      std::copy(integers.begin(), integers.end(), y.begin());
    } else {
      const auto bf16 = read<uint16_t>(y.size());
      std::transform(bf16.begin(), bf16.end(), y.begin(), from_bf16);
    }
    return y;
  }

 private:
  void make_vectors() {
    std::vector<int8_t> int8;
    std::vector<uint16_t> bf16;
    for (const float v : cli::random_inputs(o_.batch * o_.cols)) {
      int8.push_back(static_cast<int8_t>(std::lrint(std::clamp(v * 32, -128.0f, 127.0f))));
      bf16.push_back(to_bf16(v));
      x_floats_.push_back(is_int8() ? int8.back() : from_bf16(bf16.back()));
    }
    x_ = is_int8() ? must(cuda::upload<int8_t>(stream_, int8))
                   : must(cuda::upload<uint16_t>(stream_, bf16));
  }
  template <class T>
  std::vector<T> read(size_t count) {
    std::vector<T> values(count);
    must(stream_.copy_to_host(values.data(), y_.data(), count * sizeof(T)));
    must(stream_.wait());
    return values;
  }

  Options o_;
  cudaStream_t handle_of_stream_;
  cuda::Stream stream_;
  cublasHandle_t handle_ = nullptr;
  cuda::Memory workspace_;
  cuda::Memory w_;
  cli::DeviceCopies copies_;
  cuda::Memory x_;
  std::vector<float> x_floats_;
  cuda::Memory y_;
};

std::vector<cli::BenchRecord> measure(const Options& o) {
  const cuda::Device device = must(cuda::Device::open("cuda"));
  const auto w = cli::random_matrix(shape_of(o));
  Cublas product(o, device, w);
  cuda::Stream& stream = product.stream();
  must(product.ask(0));
  cli::BenchRecord record = describe(o, product.description(), product.nbytes());
  record.exact = product.is_int8();
  record.whole_call = false;
  if (!check(o, w, product.description(), product.vectors(), product.results(), &record)) {
    return {record};
  }
  auto copy = must(cli::CopyBandwidth::create(stream));
  std::vector<cli::BenchRecord> records;
  for (const size_t copies :
       {cli::cold_copies(device, product.nbytes(), o.cold_bytes), size_t{1}}) {
    product.reserve(copies);
    must(cli::time_products(stream,
                            {copies, cli::kGraphProducts, [&](size_t i) { return product.ask(i); }},
                            copy, &record));
    records.push_back(record);
  }
  return records;
}

}  // namespace
}  // namespace rsr::rivals

int main(int argc, char** argv) {
  using namespace rsr::rivals;
  return run_program(argc, argv, {"bf16", "int8"}, measure);
}
