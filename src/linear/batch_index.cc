#include "linear/batch_index.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace rsr {
namespace linear {
namespace {

using matrix::Packed;

// The batch that an index is judged by: with fewer vectors it gains as much, with very few nothing.
constexpr int64_t kUsualBatch = 128;
// What it must gain to be worth its memory, and the error of predictions.
constexpr double kLeastGain = 1.05;
// An index that is expected to take this much more than it may is not tried.
constexpr double kHopeless = 1.25;

constexpr const char* kNoGain = "packed weights should be as fast";
constexpr const char* kNoRoom = "it needs more memory than it may take";
constexpr const char* kNoRoomForCode = "machine code needs more memory than it may take";

/// How a weight's index is cut.
segment::GrayShape shape_of(const KernelSet& kernels, const Packed& packed, bool floats) {
  return kernels::gray_shape(packed.alphabet() == matrix::Alphabet::ternary, packed.rows(),
                             packed.cols(), gray_kernel(kernels, floats).stride);
}

/// Why a weight gets no index at all; empty: it may.
std::string hindrance(const KernelSet& kernels, const Weight::Impl& w) {
  if (!std::holds_alternative<Packed>(w.packed)) return "the weight is an index of RSR itself";
  if (w.scales.grouped()) return "the weight has scales per group of columns";
  if (gray_kernel(kernels, w.inputs == Inputs::floats).name == nullptr) {
    return std::string("instruction set ") + base::isa_name(kernels.isa) + " has no kernel for it";
  }
  return {};
}

/// Multiply-adds per second of what runs without an index.
double rate_without(const KernelSet& kernels, const Packed& packed, bool floats) {
  return assumed_rate(kernels, packed.format(), {kUsualBatch, packed.rows(), false}, floats);
}

/// What is expected of an index of one kind.
struct Expected {
  bool gains;
  bool fits;
};

Expected expect(const KernelSet& kernels, const GrayIndex& index, double without,
                const BatchIndexOptions& options) {
  CostQuestion question = gray_question(kernels, index);
  question.batch = kUsualBatch;
  return {options.always || assumed_rate(question) > kLeastGain * without,
          gray_bytes(question) <= kHopeless * static_cast<double>(options.most_bytes)};
}

std::shared_ptr<Weight::BatchIndex> build(const Packed& packed, const segment::GrayShape& shape,
                                          segment::Lanes lanes) {
  auto index = std::make_shared<Weight::BatchIndex>();
  index->lanes = lanes;
  const bool signs = packed.alphabet() == matrix::Alphabet::signs;
  index->stream = segment::build_gray(shape, [&](int64_t row, int8_t* values) {
    packed.read_row(row, values);
    if (!signs) return;
    for (int64_t c = 0; c < packed.cols(); ++c) values[c] = values[c] > 0 ? 1 : 0;
  });
  return index;
}

/// Code in place of the places; an error where it does not fit or is not allowed.
Result<std::shared_ptr<Weight::BatchIndex>> compile(const Packed& packed, segment::GrayShape shape,
                                                    segment::Lanes lanes, int64_t most_bytes) {
  if (!segment::can_compile(shape.stride)) {
    return Status(ErrorCode::unsupported, "machine code is made for x86-64 only");
  }
  shape.borrow = false;
  std::shared_ptr<Weight::BatchIndex> index = build(packed, shape, lanes);
  // Beside the code there is a table of its cells, and its last page is counted whole.
  constexpr auto kPage = static_cast<int64_t>(base::ExecutableMemory::kPage);
  const int64_t table = (index->stream.cell_count() + 1) * static_cast<int64_t>(sizeof(uint64_t));
  segment::GrayCode made =
      segment::compile_gray(index->stream, lanes, (most_bytes - table) / kPage * kPage);
  if (made.code.empty()) return Status(ErrorCode::limit_exceeded, kNoRoomForCode);
  RSR_ASSIGN_OR_RETURN(index->code, base::ExecutableMemory::create(made.code));
  index->cell_code = std::move(made.cells);
  index->stream.places = {};
  index->stream.ends = {};
  index->stream.cell_places = {};
  return index;
}

}  // namespace

CostQuestion gray_question(const KernelSet& kernels, const GrayIndex& index) {
  const GrayKernel kernel = gray_kernel(kernels, index.floats);
  CostQuestion q;
  q.kind = index.compiled ? KernelKind::compiled : KernelKind::gray;
  q.floats = index.floats;
  q.isa = kernel.isa;
  q.token_tile = kernel.token_tile;
  q.binary = index.grid.alphabet == segment::Alphabet::binary;
  q.rows = index.grid.rows;
  q.cols = index.grid.cols;
  q.additions = index.additions;
  q.speed = kernels.tuning.index_speed(index.floats, index.compiled);
  return q;
}

BatchIndexResult make_batch_index(const Context::Impl& context, const Weight& weight,
                                  const BatchIndexOptions& options) {
  const KernelSet& kernels = context.kernels;
  const Weight::Impl& w = weight.impl();
  if (options.most_bytes <= 0) return {};
  if (std::string why = hindrance(kernels, w); !why.empty()) return {nullptr, std::move(why)};
  const auto& packed = std::get<Packed>(w.packed);
  const bool floats = w.inputs == Inputs::floats;
  const segment::GrayShape shape = shape_of(kernels, packed, floats);
  // The zeros of {-1, +1} are its -1: half of the values, if nothing is known.
  const double zeros = packed.alphabet() == matrix::Alphabet::signs ? 0.5 : w.zero_share;
  const double without = rate_without(kernels, packed, floats);
  const double additions = segment::expected_gray_additions(shape, zeros);
  const Expected stream = expect(kernels, {shape, additions, floats, false}, without, options);
  const Expected code = expect(kernels, {shape, additions, floats, true}, without, options);
  const auto lanes = floats ? segment::Lanes::float32 : segment::Lanes::int16;
  const bool wants_code = options.jit && code.gains;
  if (!stream.gains && !wants_code) return {nullptr, kNoGain};
  std::string notice;
  if (wants_code && code.fits) {
    auto made = compile(packed, shape, lanes, options.most_bytes);
    if (made.ok()) return {std::move(*made), {}};
    notice = made.status().message();
  } else if (wants_code) {
    notice = kNoRoomForCode;
  }
  if (!stream.gains) return {nullptr, std::move(notice)};
  if (!stream.fits) return {nullptr, kNoRoom};
  std::shared_ptr<Weight::BatchIndex> index = build(packed, shape, lanes);
  if (index->nbytes() > options.most_bytes) return {nullptr, kNoRoom};
  return {std::move(index), std::move(notice)};
}

}  // namespace linear

int64_t Weight::BatchIndex::nbytes() const {
  return stream.nbytes() + static_cast<int64_t>(cell_code.size() * sizeof(uint64_t) + code.size());
}

kernels::GrayGroups Weight::BatchIndex::groups() const {
  return compiled() ? kernels::gray_groups(stream, code.data(), cell_code)
                    : kernels::gray_groups(stream);
}

Weight with_batch_index(const Context& context, const Weight& weight,
                        const BatchIndexOptions& options, std::string* notice) {
  linear::BatchIndexResult made = linear::make_batch_index(context.impl(), weight, options);
  if (made.index != nullptr) made.index->asked_for = options.always;
  if (notice != nullptr) *notice = std::move(made.notice);
  return weight.with(std::move(made.index));
}

int64_t Weight::index_bytes() const {
  return index_ == nullptr ? 0 : index_->nbytes();
}

}  // namespace rsr
