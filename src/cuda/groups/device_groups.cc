#include "cuda/groups/device_groups.h"

#include <algorithm>

#include "base/check.h"

namespace rsr::cuda {
namespace {

constexpr int kWarps = 8;  // of a block of threads
constexpr int kMostSpan = 64;
/// Blocks of a multiprocessor: so many threads have enough bytes on their way, if shared memory
/// lets.
constexpr int kMostResident = 4;
constexpr int kSharedBytes = 200 << 10;

/// So many blocks of rows for each block of threads that all of these run at once: each stages x
/// once. Where that leaves warps without a cell, several share one.
void cut_work(int multiprocessors, Groups& p) {
  const int tile_bytes = p.tile_words() * 4 + (8 << 10);
  const int resident = std::clamp(kSharedBytes / tile_bytes, 1, kMostResident);
  const int most = std::max(multiprocessors, 1) * resident;
  for (p.span = 1; p.span < kMostSpan && (p.row_blocks() + p.span - 1) / p.span > most;) {
    p.span *= 2;
  }
  p.parts = std::clamp(kWarps / p.span, 1, kMostParts);
}

}  // namespace

Result<DeviceGroups> DeviceGroups::create(Stream& stream, const GroupsIndex& index, bool signs) {
  DeviceGroups out;
  out.nbytes_ = index.nbytes();
  RSR_ASSIGN_OR_RETURN(out.entries_, upload<uint16_t>(stream, index.entries));
  RSR_ASSIGN_OR_RETURN(out.starts_, upload<uint32_t>(stream, index.starts));
  RSR_ASSIGN_OR_RETURN(out.digits_, upload<uint32_t>(stream, index.digits));
  RSR_ASSIGN_OR_RETURN(out.cell_slices_, upload<uint32_t>(stream, index.cell_slices));
  Groups& p = out.params_;
  p.entries = out.entries_.as<const uint16_t>();
  p.starts = out.starts_.as<const uint32_t>();
  p.digits = out.digits_.as<const uint32_t>();
  p.cell_slices = out.cell_slices_.as<const uint32_t>();
  p.k = index.k;
  p.ternary = index.alphabet == segment::Alphabet::ternary;
  p.signs = signs;
  p.rows = static_cast<int32_t>(index.rows);
  p.cols = static_cast<int32_t>(index.cols);
  p.tile_cols = static_cast<int32_t>(std::min(index.tile_cols, index.cols));
  cut_work(stream.device().info().multiprocessors, p);
  return out;
}

Groups DeviceGroups::params() const {
  return params_;
}

}  // namespace rsr::cuda
