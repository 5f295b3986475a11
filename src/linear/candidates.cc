#include "linear/candidates.h"

#include <algorithm>

#include "linear/batch_index.h"
#include "linear/rsr_choice.h"

namespace rsr::linear {
namespace {

using matrix::Format;

CostQuestion cost_question(const ProductQuestion& q, KernelKind kind) {
  CostQuestion cost;
  cost.kind = kind;
  cost.floats = q.floats;
  cost.binary = q.binary;
  cost.residency = q.residency;
  cost.rows = q.rows;
  cost.cols = q.cols;
  cost.batch = q.batch;
  cost.threads = q.threads;
  return cost;
}

template <class Kernel>
Candidate packed(const ProductQuestion& q, KernelKind kind, const Kernel& kernel) {
  Candidate c;
  c.question = cost_question(q, kind);
  c.question.format = kernel.format;
  c.question.isa = kernel.isa;
  c.format = matrix::format_name(kernel.format);
  c.kernel = kernel.name;
  return c;
}

/// Look-ups with some gain over what else would run.
template <class Kernel>
void add_tables(const ProductQuestion& q, base::Isa isa, const Kernel* kernel, double gain,
                bool chosen, std::vector<Candidate>& all) {
  if (kernel == nullptr || gain == 0 || q.batch == 1) return;
  all.push_back(packed(q, KernelKind::tables, *kernel));
  Candidate& c = all.back();
  c.question.isa = isa;  // the gain is over what this one has else
  c.question.tables_gain = gain;
  c.question.token_tile = kernel->token_tile;
  c.token_tile = static_cast<int>(std::min<int64_t>(q.batch, kernel->token_tile));
  c.chosen = chosen;
}

void add_floats(const KernelSet& kernels, const ProductQuestion& q, Format format,
                std::vector<Candidate>& all) {
  const auto at = static_cast<size_t>(format);
  const BatchShape shape{q.batch, rows_of_call(q.rows, 1, q.threads)};
  const bool look_up = kernels.look_ups_f32(format, shape) != nullptr;
  if (const auto* kernel = kernels.matvec_f32[at]; kernel != nullptr) {
    all.push_back(packed(q, KernelKind::matvec, *kernel));
    all.back().chosen = !look_up;
  }
  add_tables(q, kernels.isa, kernels.gemm_tables_f32[at], float_tables_gain(format, kernels.isa),
             look_up, all);
}

void add_packed(const KernelSet& kernels, const ProductQuestion& q, Format format,
                std::vector<Candidate>& all) {
  const auto at = static_cast<size_t>(format);
  if (matrix::is_ternary(format) == q.binary) return;
  if (q.floats) return add_floats(kernels, q, format, all);
  const BatchShape shape{q.batch, rows_of_call(q.rows, 1, q.threads)};
  const auto* chosen = kernels.for_batch(format, shape);
  for (const auto* kernel : {kernels.matvec_i8[at], kernels.gemm_i8[at]}) {
    // A gemm never runs for one vector.
    const bool gemm = kernel != nullptr && kernel == kernels.gemm_i8[at];
    if (kernel == nullptr || (gemm && q.batch == 1)) continue;
    all.push_back(packed(q, gemm ? KernelKind::gemm : KernelKind::matvec, *kernel));
    all.back().token_tile = kernels.token_tile(*kernel, q.batch);
    all.back().chosen = kernel == chosen;
  }
  const auto* tables = kernels.gemm_tables_i8[at];
  add_tables(q, kernels.isa, tables, kernels.tuning.of(format).tables_gain, tables == chosen, all);
}

void add_rsr(const KernelSet& kernels, const ProductQuestion& q, RsrForm form,
             std::vector<Candidate>& all) {
  Candidate c;
  c.question = cost_question(q, KernelKind::rsr);
  c.question.isa = kernels.isa;
  c.question.form = form;
  const auto measured = kernels.tuning.rsr_k({q.binary, form, q.rows, q.cols, 0});
  const auto alphabet = q.binary ? segment::Alphabet::binary : segment::Alphabet::ternary;
  const RsrQuestion question{kernels.isa, form, alphabet, q.rows, q.cols, q.floats};
  c.measured_k = measured.has_value() && !q.floats;
  c.question.k = c.measured_k ? *measured : choose_block_rows(question);
  const RsrIndex index = choose_index(question, c.question.k);
  c.format = index_name(index);
  c.kernel = rsr_kernel(kernels, index, q.floats);
  all.push_back(c);
}

/// An index for batches beside packed weights, as places and as code.
void add_indexes(const KernelSet& kernels, const ProductQuestion& q, std::vector<Candidate>& all) {
  const GrayKernel kernel = gray_kernel(kernels, q.floats);
  if (kernel.name == nullptr || q.batch <= kernel.token_tile / 4) return;
  const segment::GrayShape shape = kernels::gray_shape(!q.binary, q.rows, q.cols, kernel.stride);
  const double zeros = q.binary ? 0.5 : q.zeros / 100.0;
  for (const bool compiled : {true, false}) {
    Candidate c;
    c.question = gray_question(
        kernels, {shape, segment::expected_gray_additions(shape, zeros), q.floats, compiled});
    c.question.residency = q.residency;
    c.question.batch = q.batch;
    c.question.threads = q.threads;
    c.question.k = shape.k;
    c.format = "gray";
    c.kernel = kernel.name;
    c.token_tile = static_cast<int>(std::min<int64_t>(q.batch, kernel.token_tile));
    all.push_back(c);
  }
}

/// Makes an index the choice where it is allowed and has less work than the packed weights.
void choose_index_for_batch(const ProductQuestion& q, std::vector<Candidate>& all) {
  const auto packed = std::find_if(all.begin(), all.end(), [](const auto& c) { return c.chosen; });
  if (packed == all.end()) return;
  for (Candidate& c : all) {
    const bool compiled = c.question.kind == KernelKind::compiled;
    if (!compiled && c.question.kind != KernelKind::gray) continue;
    const bool allowed = c.cost.bytes <= q.rsr_memory && (q.jit || !compiled);
    if (!allowed || c.cost.work_seconds >= packed->cost.work_seconds) continue;
    packed->chosen = false;
    c.chosen = true;
    return;
  }
}

}  // namespace

FormatChoice choose_format(const KernelSet& kernels, const ProductQuestion& q) {
  return choose_format({q.binary ? matrix::Alphabet::binary : matrix::Alphabet::ternary,
                        q.floats ? Inputs::floats : Inputs::int8, q.residency, false, kernels.isa,
                        kernels.disabled});
}

std::vector<Candidate> candidates(const KernelSet& kernels, const ProductQuestion& q) {
  std::vector<Candidate> all;
  for (const Format format : matrix::kAllFormats) add_packed(kernels, q, format, all);
  for (const RsrForm form : {RsrForm::scatter, RsrForm::fold, RsrForm::gray}) {
    add_rsr(kernels, q, form, all);
  }
  add_indexes(kernels, q, all);
  const Format format = choose_format(kernels, q).format;
  for (Candidate& c : all) {
    c.cost = predict(c.question);
    const bool packed = c.question.kind != KernelKind::rsr && c.question.format == format;
    c.chosen = c.chosen && packed;
  }
  choose_index_for_batch(q, all);
  std::stable_sort(all.begin(), all.end(), [](const Candidate& a, const Candidate& b) {
    return a.chosen != b.chosen ? a.chosen : a.cost.seconds < b.cost.seconds;
  });
  return all;
}

}  // namespace rsr::linear
