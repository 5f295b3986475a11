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

segment::GrayShape shape_of(const KernelSet& kernels, const Packed& packed) {
  return kernels::gray_shape(packed.alphabet() == matrix::Alphabet::ternary, packed.rows(),
                             packed.cols(), kernels.gemm_gray_i8->stride());
}

/// Why a weight gets no index at all; empty: it may.
std::string hindrance(const KernelSet& kernels, const Weight::Impl& w) {
  if (!std::holds_alternative<Packed>(w.packed)) return "the weight is an index of RSR itself";
  if (w.scales.grouped()) return "the weight has scales per group of columns";
  if (w.inputs == Inputs::floats) return "the weight was prepared for float inputs";
  if (kernels.gemm_gray_i8 == nullptr) {
    return std::string("instruction set ") + base::isa_name(kernels.isa) + " has no kernel for it";
  }
  return {};
}

/// Multiply-adds per second of what runs without an index.
double rate_without(const KernelSet& kernels, const Packed& packed) {
  return assumed_rate(kernels, packed.format(), {kUsualBatch, packed.rows(), false});
}

double rate_with(const KernelSet& kernels, const segment::Grid& grid, double additions,
                 bool compiled) {
  CostQuestion question = gray_question(kernels, grid, additions, compiled);
  question.batch = kUsualBatch;
  return assumed_rate(question);
}

std::shared_ptr<Weight::BatchIndex> build(const KernelSet& kernels, const Packed& packed) {
  auto index = std::make_shared<Weight::BatchIndex>();
  const bool signs = packed.alphabet() == matrix::Alphabet::signs;
  index->stream = segment::build_gray(shape_of(kernels, packed), [&](int64_t row, int8_t* values) {
    packed.read_row(row, values);
    if (!signs) return;
    for (int64_t c = 0; c < packed.cols(); ++c) values[c] = values[c] > 0 ? 1 : 0;
  });
  return index;
}

/// Code in place of the places; an error where it does not fit or is not allowed.
Status compile(Weight::BatchIndex& index, int64_t most_bytes) {
  if (!segment::can_compile(index.stream.stride)) {
    return {ErrorCode::unsupported, "machine code is made for x86-64 only"};
  }
  segment::GrayCode made = segment::compile_gray(index.stream, segment::Lanes::int16, most_bytes);
  if (made.code.empty()) {
    return {ErrorCode::limit_exceeded,
            "machine code takes more than " + std::to_string(most_bytes) + " bytes"};
  }
  RSR_ASSIGN_OR_RETURN(index.code, base::ExecutableMemory::create(made.code));
  index.cell_code = std::move(made.cells);
  index.stream.places = {};
  index.stream.ends = {};
  index.stream.cell_places = {};
  return {};
}

constexpr const char* kNoGain = "packed weights should be as fast";

}  // namespace

CostQuestion gray_question(const KernelSet& kernels, const segment::Grid& grid, double additions,
                           bool compiled) {
  CostQuestion q;
  q.kind = compiled ? KernelKind::compiled : KernelKind::gray;
  q.isa = kernels.gemm_gray_i8->isa;
  q.token_tile = kernels.gemm_gray_i8->token_tile;
  q.binary = grid.alphabet == segment::Alphabet::binary;
  q.rows = grid.rows;
  q.cols = grid.cols;
  q.additions = additions;
  return q;
}

BatchIndexResult make_batch_index(const Context::Impl& context, const Weight& weight,
                                  const BatchIndexOptions& options) {
  const KernelSet& kernels = context.kernels;
  const Weight::Impl& w = weight.impl();
  if (options.most_bytes <= 0) return {};
  if (std::string why = hindrance(kernels, w); !why.empty()) return {nullptr, std::move(why)};
  const auto& packed = std::get<Packed>(w.packed);
  const segment::GrayShape shape = shape_of(kernels, packed);
  // The zeros of {-1, +1} are its -1: half of the values, if nothing is known.
  const double zeros = packed.alphabet() == matrix::Alphabet::signs ? 0.5 : w.zero_share;
  const double expected = segment::expected_gray_additions(shape, zeros);
  const double without = kLeastGain * rate_without(kernels, packed);
  const double stream = rate_with(kernels, shape, expected, false);
  const double compiled = rate_with(kernels, shape, expected, true);
  const bool may_stream = options.always || stream > without;
  const bool may_compile = options.jit && (options.always || compiled > without);
  if (!may_stream && !may_compile) return {nullptr, kNoGain};
  auto index = build(kernels, packed);
  index->asked_for = options.always;
  std::string notice;
  if (may_compile) {
    const Status status = compile(*index, options.most_bytes);
    if (status.ok()) return {std::move(index), {}};
    if (!may_stream) return {nullptr, status.message()};
    notice = status.message();
  }
  if (index->nbytes() > options.most_bytes) {
    return {nullptr, "it takes " + std::to_string(index->nbytes()) + " bytes, and " +
                         std::to_string(options.most_bytes) + " are allowed"};
  }
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
  if (notice != nullptr) *notice = std::move(made.notice);
  return weight.with(std::move(made.index));
}

int64_t Weight::index_bytes() const {
  return index_ == nullptr ? 0 : index_->nbytes();
}

}  // namespace rsr
