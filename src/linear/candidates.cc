#include "linear/candidates.h"

#include <algorithm>

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

void add_packed(const KernelSet& kernels, const ProductQuestion& q, Format format,
                std::vector<Candidate>& all) {
  const auto at = static_cast<size_t>(format);
  if (matrix::is_ternary(format) == q.binary) return;
  if (q.floats) {
    if (const auto* kernel = kernels.matvec_f32[at]; kernel != nullptr) {
      all.push_back(packed(q, KernelKind::matvec, *kernel));
    }
    return;
  }
  const auto* chosen = kernels.for_batch(format, {q.batch, rows_of_call(q.rows, 1, q.threads)});
  for (const auto* kernel : {kernels.matvec_i8[at], kernels.gemm_i8[at]}) {
    // A gemm never runs for one vector.
    const bool gemm = kernel != nullptr && kernel == kernels.gemm_i8[at];
    if (kernel == nullptr || (gemm && q.batch == 1)) continue;
    all.push_back(packed(q, gemm ? KernelKind::gemm : KernelKind::matvec, *kernel));
    all.back().token_tile = kernels.token_tile(*kernel, q.batch);
    all.back().chosen = kernel == chosen;
  }
  const auto* tables = kernels.gemm_tables_i8[at];
  const double gain = kernels.tuning.of(format).tables_gain;
  if (tables == nullptr || gain == 0 || q.batch == 1) return;
  all.push_back(packed(q, KernelKind::tables, *tables));
  all.back().question.isa = kernels.isa;  // the gain is over this one's gemm
  all.back().question.tables_gain = gain;
  all.back().question.token_tile = tables->token_tile;
  all.back().token_tile = kernels.token_tile(*tables, q.batch);
  all.back().chosen = tables == chosen;
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
  const Format format = choose_format(kernels, q).format;
  for (Candidate& c : all) {
    c.cost = predict(c.question);
    const bool packed = c.question.kind != KernelKind::rsr && c.question.format == format;
    c.chosen = packed && (q.floats || c.chosen);
  }
  std::stable_sort(all.begin(), all.end(), [](const Candidate& a, const Candidate& b) {
    return a.chosen != b.chosen ? a.chosen : a.cost.seconds < b.cost.seconds;
  });
  return all;
}

}  // namespace rsr::linear
