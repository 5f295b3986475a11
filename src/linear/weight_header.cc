#include "linear/weight_header.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <iterator>

#include "base/check.h"
#include "base/checksum.h"
#include "matrix/values.h"

namespace rsr::linear {
namespace {

constexpr uint8_t kMagic[8] = {'R', 'S', 'R', 'W', 'G', 'H', 'T', '\n'};
constexpr size_t kChecksumAt = 120;
constexpr size_t kZerosAt = 92;
constexpr size_t kNameBytes = 8;

template <class... Args>
Status corrupt(const Args&... args) {
  return base::error(ErrorCode::corrupt_data, "weight: ", args...);
}

template <class T>
void put(std::span<uint8_t> image, size_t at, T value) {
  for (size_t i = 0; i < sizeof(T); ++i) {
    image[at + i] = static_cast<uint8_t>(static_cast<uint64_t>(value) >> 8 * i);
  }
}

template <class T>
T get(std::span<const uint8_t> image, size_t at) {
  uint64_t bits = 0;
  for (size_t i = 0; i < sizeof(T); ++i) bits |= static_cast<uint64_t>(image[at + i]) << 8 * i;
  return static_cast<T>(bits);
}

/// The fields of one byte, each below its number of values.
Status read_kinds(std::span<const uint8_t> image, WeightHeader& h) {
  constexpr const char* kNames[] = {"alphabet", "inputs", "residency", "form"};
  constexpr int kCounts[] = {3, 3, 2, 3};
  for (size_t i = 0; i < std::size(kNames); ++i) {
    if (image[24 + i] >= kCounts[i]) return corrupt("unknown ", kNames[i], " ", image[24 + i] + 0);
  }
  h.alphabet = static_cast<matrix::Alphabet>(image[24]);
  h.inputs = static_cast<Inputs>(image[25]);
  h.residency = static_cast<Residency>(image[26]);
  h.form = static_cast<RsrForm>(image[27]);
  const auto kind = get<uint32_t>(image, 28);
  if (kind > 2) return corrupt("unknown kind of scales ", kind);
  h.scale_kind = static_cast<ScaleKind>(kind);
  return {};
}

Status read_format(std::span<const uint8_t> image, WeightHeader& h) {
  const auto name = image.subspan(16, kNameBytes);
  const auto end = std::find(name.begin(), name.end(), 0);
  h.format.assign(name.begin(), end);
  const bool rest_is_zero = std::all_of(end, name.end(), [](uint8_t c) { return c == 0; });
  const bool groups = h.format == kGroupsName;
  const auto format = matrix::format_from_name(h.format);
  if (!rest_is_zero || (!groups && !format)) {
    for (char& c : h.format) c = c >= ' ' && c <= '~' ? c : '?';
    return base::error(ErrorCode::unsupported, "weight: unknown format \"", h.format, "\"");
  }
  if (groups) return {};
  if (matrix::is_ternary(*format) != (h.alphabet == matrix::Alphabet::ternary)) {
    return corrupt("format ", h.format, " with alphabet ", static_cast<int>(h.alphabet));
  }
  if (h.form != RsrForm::scatter) return corrupt("format ", h.format, " with a form of RSR");
  return {};
}

Status check_shape(const WeightHeader& h) {
  if (h.cols < 1 || h.cols > matrix::kMaxCols) return corrupt("the number of columns is ", h.cols);
  if (h.rows < 1 || h.rows > matrix::kMaxElements / h.cols) return corrupt("rows are ", h.rows);
  const bool grouped = h.scale_kind == ScaleKind::groups;
  if (grouped ? h.group_size < 1 || h.group_size > h.cols : h.group_size != 0) {
    return corrupt("the group size is ", h.group_size);
  }
  if (h.groups() > 1 && (h.format == "t5" || h.format == "t3")) {
    return corrupt("format ", h.format, " takes no groups of columns");
  }
  if (!(h.zero_share >= 0 && h.zero_share <= 1) || std::signbit(h.zero_share)) {
    return corrupt("the share of zeros is ", h.zero_share);
  }
  if (!std::isfinite(h.scale)) return corrupt("the scale is ", h.scale, "; it must be finite");
  if (h.scale_kind != ScaleKind::matrix && h.scale != 1.0f) {
    return corrupt("the scale of the matrix is ", h.scale, " and rows have their own");
  }
  return {};
}

/// No sum can overflow: check_shape() limits the product of rows and columns to 2^46.
Status check_sizes(const WeightHeader& h, uint64_t size) {
  if (h.scale_count != h.needed_scales()) {
    return corrupt(h.scale_count, " scales; the shape needs ", h.needed_scales());
  }
  if (h.payload_offset != h.needed_offset()) {
    return corrupt("the payload begins at ", h.payload_offset, ", not at ", h.needed_offset());
  }
  if (h.payload_offset > size || h.payload_bytes != size - h.payload_offset) {
    return corrupt("a payload of ", h.payload_bytes, " bytes at ", h.payload_offset,
                   " does not end with the ", size, " bytes given");
  }
  return {};
}

}  // namespace

uint64_t WeightHeader::needed_scales() const {
  if (scale_kind == ScaleKind::matrix) return 0;
  if (scale_kind == ScaleKind::rows) return static_cast<uint64_t>(rows);
  return static_cast<uint64_t>((rows + 15) / 16 * 16 * groups());
}

uint64_t WeightHeader::needed_offset() const {
  const uint64_t end = kWeightHeaderBytes + needed_scales() * sizeof(float);
  return (end + kWeightPartAlignment - 1) / kWeightPartAlignment * kWeightPartAlignment;
}

void write_header(const WeightHeader& h, std::span<uint8_t> image) {
  std::fill_n(image.begin(), kWeightHeaderBytes, uint8_t{0});
  std::copy(std::begin(kMagic), std::end(kMagic), image.begin());
  put(image, 8, kWeightVersion);
  put(image, 12, static_cast<uint32_t>(kWeightHeaderBytes));
  std::copy_n(h.format.begin(), std::min(h.format.size(), kNameBytes), image.begin() + 16);
  put(image, 24, static_cast<uint8_t>(h.alphabet));
  put(image, 25, static_cast<uint8_t>(h.inputs));
  put(image, 26, static_cast<uint8_t>(h.residency));
  put(image, 27, static_cast<uint8_t>(h.form));
  put(image, 28, static_cast<uint32_t>(h.scale_kind));
  put(image, 32, h.rows);
  put(image, 40, h.cols);
  put(image, 48, h.group_size);
  put(image, 56, std::bit_cast<uint64_t>(h.zero_share));
  put(image, 64, h.scale_count);
  put(image, 72, h.payload_offset);
  put(image, 80, h.payload_bytes);
  put(image, 88, std::bit_cast<uint32_t>(h.scale));
  write_checksum(image);
}

void write_checksum(std::span<uint8_t> image) {
  put(image, kChecksumAt, base::checksum(std::as_bytes(image), kChecksumAt));
}

Result<WeightHeader> read_header(std::span<const uint8_t> image, Check check) {
  if (image.size() < kWeightHeaderBytes) {
    return corrupt("only ", image.size(), " bytes, less than a header");
  }
  if (!std::equal(std::begin(kMagic), std::end(kMagic), image.begin())) {
    return corrupt("the bytes do not begin with the magic of a weight");
  }
  const auto version = get<uint32_t>(image, 8);
  if (version != kWeightVersion) {
    return base::error(ErrorCode::unsupported, "weight: version ", version, ", this is ",
                       kWeightVersion);
  }
  if (const auto bytes = get<uint32_t>(image, 12); bytes != kWeightHeaderBytes) {
    return corrupt("a header of ", bytes, " bytes");
  }
  WeightHeader h;
  RSR_RETURN_IF_ERROR(read_kinds(image, h));
  RSR_RETURN_IF_ERROR(read_format(image, h));
  h.rows = get<int64_t>(image, 32);
  h.cols = get<int64_t>(image, 40);
  h.group_size = get<int64_t>(image, 48);
  h.zero_share = std::bit_cast<double>(get<uint64_t>(image, 56));
  h.scale_count = get<uint64_t>(image, 64);
  h.payload_offset = get<uint64_t>(image, 72);
  h.payload_bytes = get<uint64_t>(image, 80);
  h.scale = std::bit_cast<float>(get<uint32_t>(image, 88));
  for (size_t i = kZerosAt; i < kChecksumAt; ++i) {
    if (image[i] != 0) return corrupt("byte ", i, " is not zero");
  }
  RSR_RETURN_IF_ERROR(check_shape(h));
  RSR_RETURN_IF_ERROR(check_sizes(h, image.size()));
  if (check == Check::header) return h;
  if (get<uint64_t>(image, kChecksumAt) != base::checksum(std::as_bytes(image), kChecksumAt)) {
    return corrupt("wrong checksum");
  }
  return h;
}

}  // namespace rsr::linear
