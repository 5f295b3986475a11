// The tensors of a prepared file as they are written, with what the header says about them.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "io/safetensors_writer.h"
#include "linear/head_scan_form.h"
#include "model/linear_layer.h"
#include "model/write_prepared.h"

namespace rsr::model {

class PreparedWriter {
 public:
  /// `names`: of all tensors that may be written. `total`: bytes of the source, for the progress.
  static Result<PreparedWriter> create(const std::string& path,
                                       const std::set<std::string, std::less<>>& names,
                                       int64_t total, const Progress& progress);

  /// A tensor as the source has it.
  Status copy(const std::string& name, const io::Tensor& tensor);
  /// A dense matrix in its 16 bits.
  Status write(const std::string& name, const DenseTable& table);
  /// A linear's weight: an image, or dense.
  Status write(const std::string& module, const Linear& linear);

  /// The scan form of the head.
  Status write(const linear::HeadScanForm& form);

  /// So many bytes of the source are done. The error is that of a cancelled work.
  Status advance(int64_t source_bytes);

  /// Completes the file.
  Result<WrittenModel> finish(const std::string& isa);

 private:
  PreparedWriter(io::SafetensorsWriter writer, int64_t total, Progress progress)
      : writer_(std::move(writer)), total_(total), progress_(std::move(progress)) {}
  Status write(const std::string& name, io::DType dtype, const std::vector<int64_t>& shape,
               std::span<const std::byte> data);

  io::SafetensorsWriter writer_;
  std::map<std::string, uint64_t> checksums_;
  std::set<std::string> formats_;
  int64_t total_;
  int64_t done_ = 0;
  Progress progress_;
};

}  // namespace rsr::model
