// A prepared matrix from its bytes (the image is drawn in linear/weight_header.h).
#include <bit>
#include <cmath>
#include <cstring>
#include <utility>
#include <vector>

#include "base/aligned.h"
#include "base/check.h"
#include "linear/planner.h"
#include "linear/selftest.h"
#include "linear/weight.h"
#include "linear/weight_header.h"
#include "matrix/check_packed.h"

namespace rsr {
namespace {

using linear::RsrWeight;
using linear::ScaleKind;
using linear::Scales;
using linear::WeightHeader;
using matrix::Alphabet;
using matrix::Format;
using matrix::Packed;

// Floats and lines are used as they lie in the image.
static_assert(std::endian::native == std::endian::little);

/// An image and how it is to be read.
struct Image {
  std::span<const uint8_t> bytes;
  WeightHeader header;
  std::shared_ptr<const void> keeper;  // empty: everything is copied
  bool check_contents = true;

  std::span<const uint8_t> payload() const {
    return bytes.subspan(static_cast<size_t>(header.payload_offset));
  }
  std::span<const uint8_t> scales() const {
    return bytes.subspan(linear::kWeightHeaderBytes,
                         static_cast<size_t>(header.scale_count) * sizeof(float));
  }
};

Status check_scales(const Image& image, std::span<const float> scales) {
  const WeightHeader& h = image.header;
  for (size_t i = 0; i < scales.size(); ++i) {
    if (std::isfinite(scales[i])) continue;
    return base::error(ErrorCode::corrupt_data, "weight: scale ", i, " is ", scales[i],
                       "; scales must be finite");
  }
  const uint64_t end = linear::kWeightHeaderBytes + scales.size_bytes();
  for (uint64_t at = end; at < h.payload_offset; ++at) {
    if (image.bytes[at] == 0) continue;
    return base::error(ErrorCode::corrupt_data, "weight: byte ", at,
                       " between scales and payload is not zero");
  }
  if (h.scale_kind != ScaleKind::groups) return {};
  for (int64_t r = h.rows; r < (h.rows + 15) / 16 * 16; ++r) {
    for (int64_t g = 0; g < h.groups(); ++g) {
      const float scale = scales[static_cast<size_t>((r / 16 * h.groups() + g) * 16 + r % 16)];
      if (std::bit_cast<uint32_t>(scale) == 0) continue;
      return base::error(ErrorCode::corrupt_data, "weight: a scale for row ", r, " of ", h.rows);
    }
  }
  return {};
}

/// The scales behind the header: finite, and zero where there is no row.
Result<Scales> read_scales(const Image& image) {
  const WeightHeader& h = image.header;
  const std::span<const uint8_t> bytes = image.scales();
  base::SharedSpan<float> scales;
  if (image.keeper != nullptr && !bytes.empty()) {
    scales = {{reinterpret_cast<const float*>(bytes.data()), bytes.size() / sizeof(float)},
              image.keeper};
  } else if (!bytes.empty()) {
    std::vector<float> copy(bytes.size() / sizeof(float));
    std::memcpy(copy.data(), bytes.data(), bytes.size());
    scales = base::SharedSpan<float>(std::move(copy));
  }
  if (image.check_contents) RSR_RETURN_IF_ERROR(check_scales(image, scales.span()));
  if (h.scale_kind != ScaleKind::groups) {
    return Scales::restored(h.scale, std::move(scales), {}, 0, 0);
  }
  return Scales::restored(h.scale, {}, std::move(scales), h.group_size, h.groups());
}

Result<Packed> read_packed(const Image& image) {
  const WeightHeader& h = image.header;
  const std::span<const uint8_t> payload = image.payload();
  const Format format = *matrix::format_from_name(h.format);
  // Compared before anything is allocated by it.
  const int64_t needed = Packed::bytes_needed(format, h.rows, h.cols, h.group_size);
  if (payload.size() != static_cast<uint64_t>(needed)) {
    return base::error(ErrorCode::corrupt_data, "weight: ", payload.size(), " bytes of ", h.format,
                       "; ", h.rows, " x ", h.cols, " needs ", needed);
  }
  Packed packed;
  if (image.keeper != nullptr) {
    packed = Packed(format, h.alphabet, h.rows, h.cols, h.group_size,
                    base::SharedSpan<uint8_t>(payload, image.keeper));
  } else {
    packed = Packed(format, h.alphabet, h.rows, h.cols, h.group_size);
    std::memcpy(packed.lines(), payload.data(), payload.size());
  }
  if (!image.check_contents) return packed;
  const Status status = matrix::check_packed(packed);
  if (!status.ok()) return status.with_context("weight");
  return packed;
}

/// Column groups or lanes: the payload's magic tells.
Result<RsrWeight::Index> read_index(const Image& image, base::Isa isa) {
  const WeightHeader& h = image.header;
  const auto payload = std::as_bytes(image.payload());
  if (segment::is_lanes_image(payload)) {
    RSR_ASSIGN_OR_RETURN(auto lanes, segment::lanes_from_bytes(payload));
    return RsrWeight::Index(std::move(lanes));
  }
  RSR_ASSIGN_OR_RETURN(auto groups, segment::from_bytes(payload));
  const linear::RsrQuestion question{isa,         h.form,           groups.alphabet,
                                     groups.rows, groups.tile_cols, h.inputs == Inputs::floats};
  return RsrWeight::sliced(std::move(groups), question);
}

Result<RsrWeight> read_rsr(const Image& image, base::Isa isa) {
  const WeightHeader& h = image.header;
  auto index = read_index(image, isa);
  if (!index.ok()) return index.status().with_context("weight");
  auto weight =
      RsrWeight::restored(*std::move(index), h.form, h.alphabet == Alphabet::signs, h.group_size);
  if (!weight.ok()) return weight.status().with_context("weight");
  const bool ternary = weight->alphabet() == segment::Alphabet::ternary;
  if (weight->rows() != h.rows || weight->cols() != h.cols ||
      ternary != (h.alphabet == Alphabet::ternary)) {
    return base::error(ErrorCode::corrupt_data, "weight: column groups of another matrix, ",
                       weight->rows(), " x ", weight->cols());
  }
  return weight;
}

/// True when the set has kernels that are written for it for all that the weight was prepared for.
bool is_fast(const linear::KernelSet& kernels, Format format, Inputs inputs) {
  const auto at = static_cast<size_t>(format);
  const auto* const i8 = kernels.matvec_i8[at];
  const auto* const f32 = kernels.matvec_f32[at];
  const bool fast_i8 = i8 != nullptr && i8->isa != base::Isa::reference;
  const bool fast_f32 = f32 != nullptr && f32->isa != base::Isa::reference;
  return (inputs == Inputs::floats || fast_i8) && (inputs == Inputs::int8 || fast_f32);
}

/// Another format where the instruction set has no kernel for the image's and has one for that.
/// Every code is read then, so that codes nobody has looked at are checked first.
Status repack_for(base::Isa isa, bool checked, Weight::Impl& w) {
  auto& packed = std::get<Packed>(w.packed);
  const linear::KernelSet kernels(isa, linear::disabled_kernels(isa));
  const Format best = linear::choose_format({packed.alphabet(), w.inputs, w.residency,
                                             w.scales.grouped(), isa, kernels.disabled})
                          .format;
  const Format from = packed.format();
  if (best == from || is_fast(kernels, from, w.inputs) || !is_fast(kernels, best, w.inputs)) {
    return {};
  }
  if (!checked) RSR_RETURN_IF_ERROR(matrix::check_packed(packed).with_context("weight"));
  packed = packed.repacked(best);
  w.notice = std::string("repacked from ") + matrix::format_name(from) + " to " +
             matrix::format_name(best) + ": instruction set " + base::isa_name(isa) +
             " has no kernel for " + matrix::format_name(from);
  return {};
}

/// Everything but the packed part.
Weight::Impl frame_of(const WeightHeader& h, Scales scales) {
  return {h.rows, h.cols, h.zero_share, std::move(scales), {}, h.inputs, h.residency, {}};
}

/// The image with its header read. Column groups are always checked and copied: their index is
/// followed blindly later.
Result<Image> open_image(std::span<const uint8_t> bytes, const LoadOptions& options) {
  Image image;
  image.bytes = bytes;
  RSR_ASSIGN_OR_RETURN(image.header, linear::read_header(bytes, linear::Check::header));
  const bool groups = image.header.format == linear::kGroupsName;
  image.check_contents = options.check_contents || groups;
  if (image.check_contents) RSR_RETURN_IF_ERROR(linear::read_header(bytes).status());
  const bool aligned = reinterpret_cast<uintptr_t>(bytes.data()) % base::kAlignment == 0;
  if (aligned && !groups) image.keeper = options.keeper;
  return image;
}

}  // namespace

Result<Weight> weight_from_bytes(std::span<const uint8_t> bytes, const LoadOptions& options) {
  RSR_ASSIGN_OR_RETURN(const Image image, open_image(bytes, options));
  RSR_ASSIGN_OR_RETURN(Scales scales, read_scales(image));
  // Behind the header's checks: asking the processor costs more than those do.
  RSR_ASSIGN_OR_RETURN(const base::Isa isa, base::choose_isa(options.isa));
  auto impl = std::make_shared<Weight::Impl>(frame_of(image.header, std::move(scales)));
  if (image.header.format == linear::kGroupsName) {
    RSR_ASSIGN_OR_RETURN(impl->packed, read_rsr(image, isa));
  } else {
    RSR_ASSIGN_OR_RETURN(impl->packed, read_packed(image));
    RSR_RETURN_IF_ERROR(repack_for(isa, image.check_contents, *impl));
  }
  return Weight(std::move(impl));
}

std::string Weight::notice() const {
  return impl_->notice;
}

}  // namespace rsr
