// The index of operation groups (groups.h draws it), made on the host.
#pragma once

#include <cstdint>
#include <vector>

#include "cuda/groups/groups.h"
#include "rsr/status.h"
#include "segment/column_groups.h"

namespace rsr::cuda {

struct GroupsIndex : segment::Grid {
  std::vector<uint16_t> entries;
  std::vector<uint32_t> starts;
  std::vector<uint32_t> digits;
  std::vector<uint32_t> cell_slices;

  /// Bytes of the four arrays.
  int64_t nbytes() const;
};

/// How to build column groups for a device: tiles that fit.
segment::BuildOptions device_options(segment::Alphabet alphabet, int k);

/// Errors: tiles that are too wide, or of no whole vectors of 16 bytes.
Result<GroupsIndex> pack_groups(const segment::ColumnGroups& groups);

}  // namespace rsr::cuda
