// A prepared matrix as bytes (the image is drawn in linear/weight_header.h).
#include <algorithm>
#include <bit>
#include <cstring>

#include "linear/weight.h"
#include "linear/weight_header.h"

namespace rsr {
namespace {

using linear::RsrWeight;
using linear::ScaleKind;
using linear::Scales;
using linear::WeightHeader;
using matrix::Alphabet;
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

}  // namespace rsr
