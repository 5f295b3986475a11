#include "model/prepared_writer.h"

#include <algorithm>

#include "base/check.h"
#include "linear/weight.h"
#include "model/tensor_names.h"
#include "rsr/version.h"

namespace rsr::model {
namespace {

using io::DType;

/// A cancelled work ends within the time that these take.
constexpr size_t kChunk = size_t{64} << 20;

/// Room in the metadata for what is not about a single tensor, and for a tensor besides its name.
constexpr size_t kMetadataBytes = 2000;
constexpr size_t kChecksumBytes = 60;

const Weight* weight_of(const Linear& linear) {
  if (const auto* int8 = std::get_if<Int8Ternary>(&linear.matrix)) return &int8->weight;
  if (const auto* floats = std::get_if<FloatTernary>(&linear.matrix)) return &floats->weight;
  return nullptr;
}

}  // namespace

Result<PreparedWriter> PreparedWriter::create(const std::string& path,
                                              const std::set<std::string, std::less<>>& names,
                                              int64_t total, const Progress& progress) {
  const auto room_of = [](const std::string& name) {
    return io::SafetensorsWriter::header_bytes_of(name) + 6 * name.size() + kChecksumBytes;
  };
  size_t room = kMetadataBytes + room_of(std::string(kHeadScanName));
  for (const std::string& name : names) room += room_of(name);
  RSR_ASSIGN_OR_RETURN(io::SafetensorsWriter writer, io::SafetensorsWriter::create(path, room));
  return PreparedWriter(std::move(writer), total, progress);
}

Status PreparedWriter::advance(int64_t source_bytes) {
  done_ += source_bytes;
  if (!progress_ || progress_(std::min(done_, total_), total_)) return {};
  return {ErrorCode::cancelled, "cancelled"};
}

Status PreparedWriter::write(const std::string& name, DType dtype,
                             const std::vector<int64_t>& shape, std::span<const std::byte> data) {
  RSR_RETURN_IF_ERROR(writer_.begin(name, dtype, shape));
  checksums_[name] = tensor_checksum(name, data);
  for (size_t at = 0; at < data.size(); at += kChunk) {
    RSR_RETURN_IF_ERROR(writer_.write(data.subspan(at, std::min(kChunk, data.size() - at))));
    RSR_RETURN_IF_ERROR(advance(0));
  }
  return {};
}

Status PreparedWriter::copy(const std::string& name, const io::Tensor& tensor) {
  return write(name, tensor.dtype, tensor.shape, tensor.data);
}

Status PreparedWriter::write(const std::string& name, const DenseTable& table) {
  const bool bf16 = table.view.format == linear::Float16::bf16;
  const auto* data = reinterpret_cast<const std::byte*>(table.view.weight);
  return write(name, bf16 ? DType::bf16 : DType::f16, {table.view.rows, table.view.cols},
               {data, static_cast<size_t>(table.bytes())});
}

Status PreparedWriter::write(const std::string& module, const Linear& linear) {
  const Weight* weight = weight_of(linear);
  if (weight == nullptr) return write(weight_name(module), std::get<DenseTable>(linear.matrix));
  const auto& packed = std::get<matrix::Packed>(weight->impl().packed);
  formats_.insert(matrix::format_name(packed.format()));
  const std::vector<uint8_t> image = weight_to_bytes(*weight);
  return write(image_name(module), DType::u8, {static_cast<int64_t>(image.size())},
               std::as_bytes(std::span(image)));
}

Status PreparedWriter::write(const linear::HeadScanForm& form) {
  std::vector<std::byte> bytes(static_cast<size_t>(linear::head_scan_form_bytes(form)));
  linear::write_head_scan_form(form, bytes);
  return write(std::string(kHeadScanName), DType::u8, {static_cast<int64_t>(bytes.size())}, bytes);
}

Result<WrittenModel> PreparedWriter::finish(const std::string& isa) {
  WrittenModel written;
  written.info.isa = isa;
  written.info.writer = std::string("rsr ") + version();
  for (const std::string& format : formats_) {
    written.info.formats += (written.info.formats.empty() ? "" : ",") + format;
  }
  const std::string header = writer_.header(prepared_metadata(written.info, checksums_));
  RSR_RETURN_IF_ERROR(writer_.finish(with_header_hash(header)));
  written.bytes = static_cast<int64_t>(writer_.size());
  written.source_bytes = total_;
  return written;
}

}  // namespace rsr::model
