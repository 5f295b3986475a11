// A block per row; where one row is much work, and there are few, many blocks per row first.
#include <type_traits>

#include "base/check.h"
#include "cuda/launch.h"
#include "cuda/norm/rows.cuh"

namespace rsr::cuda::RSR_SIMT {
namespace {

template <int each, int threads, class Params>
RSR_KERNEL(threads)
rows(Params p) {
  auto& s = simt::shared<Shared>();
  Columns<each, threads> mine;
  simt::wait_for_previous();
  read_row(p, mine);
  if (p.out.weight != nullptr) normalise(s, p.out, p.cols, mine);
  if (p.out.y != nullptr) {
    float* y = p.out.y + static_cast<int64_t>(simt::block_x()) * p.cols;
    RSR_UNROLL
    for (int i = 0; i < each; ++i) {
      if (mine.column(i) < p.cols) y[mine.column(i)] = mine.v[i];
    }
  }
  if (p.out.q != nullptr) quantise(s, p.out, mine);
}

template <int each, int threads, class Params>
Status launch_rows(int device, void* stream, const Params& p) {
  return launch(device, stream, {p.batch, 1, threads, sizeof(Shared)}, rows<each, threads, Params>,
                p);
}

/// With those of q behind the row.
template <class Params>
int64_t columns_of(const Params& p) {
  return p.out.q != nullptr && p.out.q_stride > p.cols ? p.out.q_stride : p.cols;
}

constexpr int64_t kMostGateColumns =
    16 * 1024;  // two values of each: longer rows take two launches
constexpr int64_t kMostColumns = 64 * 1024;

/// Rows of up to 24,576 columns stay in registers, beyond that partly in memory.
template <class Params>
Status run_rows(int device, void* stream, const Params& p) {
  const int64_t columns = columns_of(p);
  if (columns <= 128) return launch_rows<1, 128>(device, stream, p);
  if (columns <= 512) return launch_rows<2, 256>(device, stream, p);
  if (columns <= 1024) return launch_rows<4, 256>(device, stream, p);
  if (columns <= 2048) return launch_rows<4, 512>(device, stream, p);
  if (columns <= 4096) return launch_rows<4, 1024>(device, stream, p);
  if (columns <= 8192) return launch_rows<8, 1024>(device, stream, p);
  if (columns <= 16384) return launch_rows<16, 1024>(device, stream, p);
  if constexpr (std::is_same_v<Params, Norm>) {
    if (columns <= 24576) return launch_rows<24, 1024>(device, stream, p);
    if (columns <= kMostColumns) return launch_rows<64, 1024>(device, stream, p);
  }
  return base::error(ErrorCode::unsupported, "rows of ", columns, " columns on a GPU (at most ",
                     kMostColumns, ")");
}

constexpr int kGateThreads = 256;

/// A thread per element.
RSR_KERNEL(kGateThreads) gate_each(Gate p) {
  simt::wait_for_previous();
  const int c = simt::block_x() * kGateThreads + simt::thread();
  if (c >= p.cols) return;
  const int64_t at = static_cast<int64_t>(simt::block_y()) * p.cols + c;
  p.out.y[at] = activate(p.activation, p.gate[at], p.up[at]);
}

}  // namespace

Status norm(int device, void* stream, const Norm& p) {
  const bool same = p.out.weight == nullptr && (p.out.y == nullptr || p.out.y == p.x);
  if (same && p.residual == nullptr && p.out.q == nullptr) return {};
  return run_rows(device, stream, p);
}

Status gate(int device, void* stream, const Gate& p) {
  // A silu takes some 45 instructions: 14,336 of them 3 us on one multiprocessor, so that a launch
  // of its own over many of them pays while there are few rows.
  constexpr int kManySilus = 6144;
  constexpr int kFewRows = 64;
  const bool alone = p.out.weight == nullptr && p.out.q == nullptr;
  const bool spread =
      p.activation == GateActivation::silu && p.cols >= kManySilus && p.batch <= kFewRows;
  const bool fits = columns_of(p) <= kMostGateColumns;
  if (!alone && !spread && fits) return run_rows(device, stream, p);
  RSR_RETURN_IF_ERROR(launch(device, stream,
                             {simt::ceil_div(p.cols, kGateThreads), p.batch, kGateThreads, 0},
                             gate_each, p));
  Norm rest = {p.out.y, nullptr, p.cols, p.batch, p.out};
  return norm(device, stream, rest);
}

}  // namespace rsr::cuda::RSR_SIMT
