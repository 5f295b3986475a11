// An index of operation groups in the memory of a device.
#pragma once

#include "cuda/device.h"
#include "cuda/groups/groups_index.h"

namespace rsr::cuda {

class DeviceGroups {
 public:
  /// `signs`: the index is that of the ones of a {-1, +1} matrix. Waits for the stream.
  static Result<DeviceGroups> create(Stream& stream, const GroupsIndex& index, bool signs);

  /// The operation, but for its vectors and results. Good while this object lives.
  Groups params() const;
  int64_t nbytes() const { return nbytes_; }

 private:
  DeviceGroups() = default;
  Groups params_;
  int64_t nbytes_ = 0;
  Memory entries_;
  Memory starts_;
  Memory digits_;
  Memory cell_slices_;
};

}  // namespace rsr::cuda
