#include "io/safetensors_writer.h"

#include <array>
#include <utility>

#include "base/check.h"
#include "base/json.h"
#include "io/header.h"

namespace rsr::io {
namespace {

constexpr size_t kLengthBytes = 8;
constexpr size_t kPage = 4096;

}  // namespace

Result<SafetensorsWriter> SafetensorsWriter::create(const std::string& path, size_t header_bytes) {
  RSR_ASSIGN_OR_RETURN(base::OutputFile file, base::OutputFile::create(path));
  return create(std::move(file), header_bytes);
}

Result<SafetensorsWriter> SafetensorsWriter::create(base::OutputFile file, size_t header_bytes) {
  RSR_CHECK_OP(header_bytes, <=, kMaxHeaderBytes);
  const size_t data_at = (kLengthBytes + header_bytes + kPage - 1) / kPage * kPage;
  RSR_RETURN_IF_ERROR(file.skip(data_at));
  return SafetensorsWriter(std::move(file), data_at - kLengthBytes);
}

uint64_t SafetensorsWriter::data_size() const {
  return file_.size() - kLengthBytes - header_bytes_;
}

Status SafetensorsWriter::pad() {
  const uint64_t missing = (kAlignment - file_.size() % kAlignment) % kAlignment;
  if (missing == 0) return {};
  const uint64_t begin = data_size();
  const std::array<std::byte, kAlignment> zeros = {};
  RSR_RETURN_IF_ERROR(file_.write(std::span(zeros).first(missing)));
  entries_.push_back({std::string(kPaddingPrefix) + std::to_string(paddings_++),
                      DType::u8,
                      {static_cast<int64_t>(missing)},
                      begin,
                      data_size()});
  return {};
}

Status SafetensorsWriter::begin(const std::string& name, DType dtype,
                                const std::vector<int64_t>& shape) {
  RSR_CHECK(entries_.empty() || entries_.back().end == data_size());  // the one before is complete
  RSR_RETURN_IF_ERROR(pad());
  uint64_t bits = dtype_bits(dtype);
  for (const int64_t extent : shape) bits *= static_cast<uint64_t>(extent);
  entries_.push_back({name, dtype, shape, data_size(), data_size() + bits / 8});
  return {};
}

Status SafetensorsWriter::write(std::span<const std::byte> bytes) {
  RSR_CHECK_OP(data_size() + bytes.size(), <=, entries_.back().end);
  return file_.write(bytes);
}

std::string SafetensorsWriter::header(const std::map<std::string, std::string>& metadata) const {
  nlohmann::ordered_json json = {{"__metadata__", metadata}};
  for (const Entry& entry : entries_) {
    json[entry.name] = {{"dtype", dtype_code(entry.dtype)},
                        {"shape", entry.shape},
                        {"data_offsets", {entry.begin, entry.end}}};
  }
  std::string text = json.dump();
  RSR_CHECK_OP(text.size(), <=, header_bytes_);
  text.resize(header_bytes_, ' ');
  return text;
}

Status SafetensorsWriter::finish(std::string_view header) {
  RSR_CHECK_OP(header.size(), ==, header_bytes_);
  RSR_CHECK(entries_.empty() || entries_.back().end == data_size());
  std::string first = std::string(kLengthBytes, '\0');
  for (size_t i = 0; i < kLengthBytes; ++i) {
    first[i] = static_cast<char>(static_cast<uint64_t>(header.size()) >> 8 * i & 255);
  }
  RSR_RETURN_IF_ERROR(file_.overwrite(kLengthBytes, base::as_bytes(header)));
  RSR_RETURN_IF_ERROR(file_.overwrite(0, base::as_bytes(first)));
  return file_.finish();
}

size_t SafetensorsWriter::header_bytes_of(std::string_view name) {
  // {"dtype":"BF16","shape":[8 numbers],"data_offsets":[2 numbers]}, quotes, colon, comma; a
  // padding tensor has a short name and one extent. Names are escaped to at most 6 bytes for each
  // of theirs.
  constexpr size_t kNumber = 21;
  constexpr size_t kFrame = 80;
  return 6 * name.size() + kFrame + (kMaxRank + 2) * kNumber + kPaddingPrefix.size() + kFrame +
         4 * kNumber;
}

}  // namespace rsr::io
