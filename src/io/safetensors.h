// The safetensors container: tensors by name, read through a memory map.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "rsr/status.h"

namespace rsr::io {

enum class DType { bool8, u8, i8, i16, u16, f16, bf16, i32, u32, f32, i64, u64, f64, other };

const char* dtype_name(DType dtype);

/// A tensor as it lies in the file: row-major, little-endian. `data` may have any alignment.
struct Tensor {
  std::string name;
  DType dtype = DType::other;
  std::vector<int64_t> shape;
  std::span<const std::byte> data;

  int64_t elements() const;
  /// "bf16 [640, 2560]", for messages.
  std::string describe() const;
};

/// One safetensors file, checked in full when it is opened: header, types, shapes, and that the
/// tensors fill the file without holes, overlaps or trailing bytes.
class SafetensorsFile {
 public:
  static Result<SafetensorsFile> open(const std::string& path);

  /// All tensors, by name.
  const std::map<std::string, Tensor, std::less<>>& tensors() const { return tensors_; }
  /// The strings of "__metadata__".
  const std::map<std::string, std::string, std::less<>>& metadata() const { return metadata_; }
  /// The header as it stands in the file, with the spaces behind it.
  std::string_view header() const { return header_; }
  /// Whoever holds it keeps all data of the tensors where they are.
  const std::shared_ptr<const base::MappedFile>& mapping() const { return file_; }

 private:
  explicit SafetensorsFile(base::MappedFile file)
      : file_(std::make_shared<const base::MappedFile>(std::move(file))) {}
  std::shared_ptr<const base::MappedFile> file_;
  std::string_view header_;
  std::map<std::string, Tensor, std::less<>> tensors_;
  std::map<std::string, std::string, std::less<>> metadata_;
};

/// Parses a header and checks it against the size of the data that follows it. `data` is the byte
/// buffer after the header. Exposed for fuzzing.
Result<std::map<std::string, Tensor, std::less<>>> parse_safetensors_header(
    std::string_view header, std::span<const std::byte> data,
    std::map<std::string, std::string, std::less<>>* metadata);

/// Tensor name -> file name of its shard, as a model.safetensors.index.json has it. The names are
/// plain: none leads out of the index's folder.
Result<std::map<std::string, std::string>> read_weight_map(const std::string& path);

/// The tensors of a model directory: model.safetensors, or the shards that
/// model.safetensors.index.json names.
class TensorStore {
 public:
  static Result<TensorStore> open(const std::string& directory);
  /// The tensors of one file.
  static TensorStore of(const std::string& directory, SafetensorsFile file);

  /// Without tensors: of a model that no file holds.
  static TensorStore empty() { return {}; }

  /// nullptr when there is no tensor of that name.
  const Tensor* find(std::string_view name) const;
  /// An error that names the tensor when it is missing.
  Result<Tensor> require(std::string_view name) const;
  const std::map<std::string, Tensor, std::less<>>& tensors() const { return tensors_; }

 private:
  TensorStore() = default;
  Status open_shards(const std::string& index);
  std::string directory_;
  std::vector<SafetensorsFile> files_;
  std::map<std::string, Tensor, std::less<>> tensors_;
};

/// Elements of an f32, f16 or bf16 tensor as float, exactly; an error names any other type.
Result<std::vector<float>> to_floats(const Tensor& tensor);

}  // namespace rsr::io
