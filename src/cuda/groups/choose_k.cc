#include "cuda/groups/choose_k.h"

#include <algorithm>

#include "base/check.h"
#include "cuda/groups/device_groups.h"
#include "cuda/operations.h"

namespace rsr::cuda {
namespace {

/// Vectors and results of the timed products.
struct Buffers {
  Memory x;
  Memory sums;
  int64_t x_stride = 0;
};

Result<Buffers> make_buffers(Stream& stream, int64_t rows, int64_t cols, int batch) {
  Buffers out;
  out.x_stride = (cols + 15) / 16 * 16;
  std::vector<int8_t> x(static_cast<size_t>(out.x_stride * batch));
  uint32_t random = 1;
  for (int64_t t = 0; t < batch; ++t) {
    for (int64_t c = 0; c < cols; ++c) {
      random = random * 1664525 + 1013904223;
      x[static_cast<size_t>(t * out.x_stride + c)] = static_cast<int8_t>(random >> 24);
    }
  }
  RSR_ASSIGN_OR_RETURN(out.x, upload<int8_t>(stream, x));
  const auto bytes = static_cast<size_t>(std::max<int64_t>(rows, 1) * batch) * sizeof(int32_t);
  RSR_ASSIGN_OR_RETURN(out.sums, Memory::create(stream.device(), bytes));
  return out;
}

Result<float> time_products(Stream& stream, const DeviceGroups& index, const Buffers& buffers,
                            int64_t rows, const ChooseK& how) {
  Groups p = index.params();
  p.x = buffers.x.as<const int8_t>();
  p.x_stride = buffers.x_stride;
  p.batch = how.batch;
  p.sums = buffers.sums.as<int32_t>();
  p.stride = rows;
  RSR_RETURN_IF_ERROR(stream.run(&Operations::groups, p));  // loads the kernel
  const auto all = [&]() -> Status {
    for (int i = 0; i < how.products; ++i) {
      RSR_RETURN_IF_ERROR(stream.run(&Operations::groups, p));
    }
    return {};
  };
  RSR_ASSIGN_OR_RETURN(const float milliseconds, stream.time(all));
  return milliseconds / static_cast<float>(how.products);
}

}  // namespace

std::vector<int> likely_k(segment::Alphabet alphabet, int64_t cols) {
  const int64_t base = alphabet == segment::Alphabet::binary ? 2 : 3;
  std::vector<int> all;
  int64_t patterns = 1;
  for (int k = 1; k <= segment::kMaxBlockRows; ++k) {
    patterns *= base;
    if (patterns * 64 >= cols && patterns <= std::max(cols, base)) all.push_back(k);
  }
  return all;
}

Result<std::vector<TimeOfK>> choose_k(Stream& stream, const segment::RowSource& source,
                                      int64_t rows, int64_t cols, std::span<const int> candidates,
                                      const ChooseK& how) {
  if (how.batch < 1 || how.products < 1) {
    return base::error(ErrorCode::invalid_argument,
                       "times of k want at least one vector and product, "
                       "not ",
                       how.batch, " and ", how.products);
  }
  RSR_ASSIGN_OR_RETURN(const Buffers buffers, make_buffers(stream, rows, cols, how.batch));
  std::vector<TimeOfK> times;
  for (const int k : candidates) {
    RSR_ASSIGN_OR_RETURN(const segment::ColumnGroups groups,
                         segment::build(source, rows, cols, device_options(how.alphabet, k)));
    RSR_ASSIGN_OR_RETURN(const GroupsIndex packed, pack_groups(groups));
    RSR_ASSIGN_OR_RETURN(const DeviceGroups index, DeviceGroups::create(stream, packed, how.signs));
    RSR_ASSIGN_OR_RETURN(const float milliseconds,
                         time_products(stream, index, buffers, rows, how));
    times.push_back({k, milliseconds, index.nbytes()});
  }
  return times;
}

int fastest_k(std::span<const TimeOfK> times) {
  RSR_CHECK(!times.empty());
  const auto best = std::min_element(times.begin(), times.end(), [](const auto& a, const auto& b) {
    return a.milliseconds < b.milliseconds;
  });
  return best->k;
}

}  // namespace rsr::cuda
