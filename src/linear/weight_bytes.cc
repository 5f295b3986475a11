// A prepared matrix as bytes and back (the image is drawn in linear/weight_header.h).
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <utility>

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

// Floats and lines are copied as they lie in memory.
static_assert(std::endian::native == std::endian::little);

std::span<const float> scales_of(const Weight::Impl& w) {
  const Scales& s = w.scales;
  if (s.grouped()) {
    return {s.of_groups(), static_cast<size_t>((w.rows + 15) / 16 * 16 * s.group_count())};
  }
  if (s.of_rows() != nullptr) return {s.of_rows(), static_cast<size_t>(w.rows)};
  return {};
}

WeightHeader header_of(const Weight::Impl& w) {
  WeightHeader h;
  h.inputs = w.inputs;
  h.residency = w.residency;
  h.rows = w.rows;
  h.cols = w.cols;
  h.group_size = w.scales.group_size();
  h.zero_share = w.zero_share;
  const bool by_row = w.scales.of_rows() != nullptr;
  h.scale_kind = w.scales.grouped() ? ScaleKind::groups
                 : by_row           ? ScaleKind::rows
                                    : ScaleKind::matrix;
  h.scale = h.scale_kind == ScaleKind::matrix ? w.scales.of_matrix() : 1.0f;
  h.scale_count = h.needed_scales();
  h.payload_offset = h.needed_offset();
  if (const auto* packed = std::get_if<Packed>(&w.packed)) {
    h.format = matrix::format_name(packed->format());
    h.alphabet = packed->alphabet();
    return h;
  }
  const auto& rsr = std::get<RsrWeight>(w.packed);
  const bool ternary = rsr.alphabet() == segment::Alphabet::ternary;
  h.format = linear::kGroupsName;
  h.alphabet = ternary ? Alphabet::ternary : rsr.signs() ? Alphabet::signs : Alphabet::binary;
  h.form = rsr.form();
  return h;
}

/// The scales behind the header: finite, and zero where there is no row.
Result<Scales> read_scales(std::span<const uint8_t> image, const WeightHeader& h) {
  std::vector<float> scales(static_cast<size_t>(h.scale_count));
  if (!scales.empty()) {
    std::memcpy(scales.data(), image.data() + linear::kWeightHeaderBytes,
                scales.size() * sizeof(float));
  }
  for (size_t i = 0; i < scales.size(); ++i) {
    if (std::isfinite(scales[i])) continue;
    return base::error(ErrorCode::corrupt_data, "weight: scale ", i, " is ", scales[i],
                       "; scales must be finite");
  }
  const uint64_t end = linear::kWeightHeaderBytes + scales.size() * sizeof(float);
  for (uint64_t at = end; at < h.payload_offset; ++at) {
    if (image[at] == 0) continue;
    return base::error(ErrorCode::corrupt_data, "weight: byte ", at,
                       " between scales and payload is not zero");
  }
  if (h.scale_kind != ScaleKind::groups) {
    return Scales::restored(h.scale, std::move(scales), {}, 0, 0);
  }
  for (int64_t r = h.rows; r < (h.rows + 15) / 16 * 16; ++r) {
    for (int64_t g = 0; g < h.groups(); ++g) {
      const float scale = scales[static_cast<size_t>((r / 16 * h.groups() + g) * 16 + r % 16)];
      if (std::bit_cast<uint32_t>(scale) == 0) continue;
      return base::error(ErrorCode::corrupt_data, "weight: a scale for row ", r, " of ", h.rows);
    }
  }
  return Scales::restored(h.scale, {}, std::move(scales), h.group_size, h.groups());
}

Result<Packed> read_packed(std::span<const uint8_t> payload, const WeightHeader& h) {
  const Format format = *matrix::format_from_name(h.format);
  const matrix::ColumnLayout layout(h.cols, h.group_size, matrix::line_cols(format));
  // Compared before anything is allocated by it.
  const auto tiles = (h.rows + matrix::kTileRows - 1) / matrix::kTileRows;
  const auto needed = static_cast<uint64_t>(tiles * layout.total_steps() * matrix::kLineBytes);
  if (payload.size() != needed) {
    return base::error(ErrorCode::corrupt_data, "weight: ", payload.size(), " bytes of ", h.format,
                       "; ", h.rows, " x ", h.cols, " needs ", needed);
  }
  Packed packed(format, h.alphabet, h.rows, h.cols, h.group_size);
  std::copy(payload.begin(), payload.end(), packed.lines());
  const Status status = matrix::check_packed(packed);
  if (!status.ok()) return status.with_context("weight");
  return packed;
}

/// Column groups or lanes: the payload's magic tells.
Result<RsrWeight::Index> read_index(std::span<const std::byte> payload, const WeightHeader& h,
                                    base::Isa isa) {
  if (segment::is_lanes_image(payload)) {
    RSR_ASSIGN_OR_RETURN(auto lanes, segment::lanes_from_bytes(payload));
    return RsrWeight::Index(std::move(lanes));
  }
  RSR_ASSIGN_OR_RETURN(auto groups, segment::from_bytes(payload));
  const linear::RsrQuestion question{isa,         h.form,           groups.alphabet,
                                     groups.rows, groups.tile_cols, h.inputs == Inputs::floats};
  return RsrWeight::sliced(std::move(groups), question);
}

Result<RsrWeight> read_rsr(std::span<const uint8_t> payload, const WeightHeader& h, base::Isa isa) {
  auto index = read_index(std::as_bytes(payload), h, isa);
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
void repack_for(base::Isa isa, Weight::Impl& w) {
  auto& packed = std::get<Packed>(w.packed);
  const linear::KernelSet kernels(isa, linear::disabled_kernels(isa));
  const Format best =
      linear::choose_format({packed.alphabet(), w.inputs, w.residency, w.scales.grouped(), isa})
          .format;
  const Format from = packed.format();
  if (best == from || is_fast(kernels, from, w.inputs) || !is_fast(kernels, best, w.inputs)) return;
  packed = packed.repacked(best);
  w.notice = std::string("repacked from ") + matrix::format_name(from) + " to " +
             matrix::format_name(best) + ": instruction set " + base::isa_name(isa) +
             " has no kernel for " + matrix::format_name(from);
}

}  // namespace

std::vector<uint8_t> weight_to_bytes(const Weight& weight) {
  const Weight::Impl& w = weight.impl();
  WeightHeader h = header_of(w);
  const std::span<const float> scales = scales_of(w);
  std::vector<std::byte> groups;
  std::span<const uint8_t> payload;
  if (const auto* packed = std::get_if<Packed>(&w.packed)) {
    payload = {packed->lines(), static_cast<size_t>(packed->nbytes())};
  } else {
    const auto& rsr = std::get<RsrWeight>(w.packed);
    groups =
        rsr.lanes() != nullptr ? segment::to_bytes(*rsr.lanes()) : segment::to_bytes(*rsr.groups());
    payload = {reinterpret_cast<const uint8_t*>(groups.data()), groups.size()};
  }
  h.payload_bytes = payload.size();
  std::vector<uint8_t> image(static_cast<size_t>(h.payload_offset + h.payload_bytes));
  if (!scales.empty()) {
    std::memcpy(image.data() + linear::kWeightHeaderBytes, scales.data(), scales.size_bytes());
  }
  std::copy(payload.begin(), payload.end(), image.begin() + static_cast<int64_t>(h.payload_offset));
  linear::write_header(h, image);
  return image;
}

Result<Weight> weight_from_bytes(std::span<const uint8_t> bytes, const LoadOptions& options) {
  RSR_ASSIGN_OR_RETURN(const WeightHeader h, linear::read_header(bytes));
  RSR_ASSIGN_OR_RETURN(Scales scales, read_scales(bytes, h));
  const std::span<const uint8_t> payload = bytes.subspan(static_cast<size_t>(h.payload_offset));
  // Behind the header's checks: asking the processor costs more than those do.
  RSR_ASSIGN_OR_RETURN(const base::Isa isa, base::choose_isa(options.isa));
  if (h.format == linear::kGroupsName) {
    RSR_ASSIGN_OR_RETURN(RsrWeight rsr, read_rsr(payload, h, isa));
    return Weight(std::make_shared<Weight::Impl>(Weight::Impl{h.rows,
                                                              h.cols,
                                                              h.zero_share,
                                                              std::move(scales),
                                                              std::move(rsr),
                                                              h.inputs,
                                                              h.residency,
                                                              {}}));
  }
  RSR_ASSIGN_OR_RETURN(Packed packed, read_packed(payload, h));
  auto impl = std::make_shared<Weight::Impl>(Weight::Impl{h.rows,
                                                          h.cols,
                                                          h.zero_share,
                                                          std::move(scales),
                                                          std::move(packed),
                                                          h.inputs,
                                                          h.residency,
                                                          {}});
  repack_for(isa, *impl);
  return Weight(std::move(impl));
}

std::string Weight::notice() const {
  return impl_->notice;
}

}  // namespace rsr
