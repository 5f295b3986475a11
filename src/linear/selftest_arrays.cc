// What the self-test tries with the kernels that know no packed matrix: tables, quantising, dense,
// scan.
#include <algorithm>
#include <memory>

#include "base/aligned.h"
#include "kernels/dense/list.h"
#include "kernels/matvec/problem.h"
#include "kernels/quantize/list.h"
#include "kernels/scan/list.h"
#include "kernels/tables/list.h"
#include "linear/selftest_cases.h"

namespace rsr::linear {
namespace {

using base::AlignedArray;
using kernels::Problem;
using matrix::Alphabet;
using matrix::Format;

void add_tables(const auto& list, int64_t columns, int64_t floats,
                std::vector<SelftestCase>& cases) {
  constexpr int64_t kCols = 333;
  const Problem problem({Format::t2, Alphabet::ternary, 1, kCols}, 1);
  const auto x = std::make_shared<std::vector<float>>(problem.xf);
  const int64_t units = (kCols + columns - 1) / columns;
  const auto size = static_cast<size_t>(units * floats);
  for (const auto& kernel : list) {
    if (!base::has_isa(kernel.isa)) continue;
    SelftestCase one{kernel.name, {}};
    for (const bool signs : {false, true}) {
      const auto expected = std::make_shared<AlignedArray<float>>(size);
      const auto got = std::make_shared<AlignedArray<float>>(size);
      list[0].function({x->data(), kCols, signs, expected->data()}, 0, units);
      one.trials.emplace_back([=, function = kernel.function] {
        function({x->data(), kCols, signs, got->data()}, 0, units);
        return same_values(*got, *expected);
      });
    }
    cases.push_back(std::move(one));
  }
}

/// What quantising three tokens gives.
struct Quantised {
  std::vector<int8_t> q = std::vector<int8_t>(size_t{3} * 384, 77);
  std::vector<int32_t> sums = std::vector<int32_t>(3);
  std::vector<float> scales = std::vector<float>(3);

  kernels::QuantizeI8 params(const float* x, int64_t cols) {
    return {x, cols, q.data(), 384, sums.data(), scales.data()};
  }
  bool operator==(const Quantised&) const = default;
};

void add_quantize(std::vector<SelftestCase>& cases) {
  const Problem problem({Format::t2, Alphabet::ternary, 1, 384}, 3);
  const auto x = std::make_shared<std::vector<float>>(problem.xf);
  for (const auto& kernel : kernels::kQuantizeI8) {
    if (!base::has_isa(kernel.isa)) continue;
    SelftestCase one{kernel.name, {}};
    for (const int64_t cols : {5, 64, 333}) {
      const auto expected = std::make_shared<Quantised>();
      const auto got = std::make_shared<Quantised>();
      kernels::kQuantizeI8[0].function(expected->params(x->data(), cols), 0, 3);
      one.trials.emplace_back([=, function = kernel.function] {
        function(got->params(x->data(), cols), 0, 3);
        return *got == *expected;
      });
    }
    cases.push_back(std::move(one));
  }
}

void add_dense(const auto& list, std::vector<SelftestCase>& cases) {
  constexpr int64_t kRows = 9;
  constexpr int64_t kBatch = 3;
  constexpr int64_t kMaxCols = 200;
  const Problem problem({Format::t2, Alphabet::ternary, 1, kMaxCols}, kBatch);
  const auto x = std::make_shared<std::vector<float>>(problem.xf);
  const auto w = std::make_shared<std::vector<uint16_t>>();
  // Bits of ordinary numbers of both signs in both formats: bf16 2^-1 to 2, f16 1.75 and up.
  for (unsigned i = 0; i < kRows * kMaxCols; ++i) {
    w->push_back(static_cast<uint16_t>(0x3F00 + i * 37 % 256 + (i % 3 == 0 ? 0x8000 : 0)));
  }
  for (const auto& kernel : list) {
    if (!base::has_isa(kernel.isa)) continue;
    SelftestCase one{kernel.name, {}};
    for (const int64_t cols : {7, 33, 200}) {
      const auto expected = std::make_shared<std::vector<float>>(kBatch * kRows);
      const auto got = std::make_shared<std::vector<float>>(kBatch * kRows);
      list[0].function({w->data(), cols, x->data(), kBatch, expected->data(), kRows}, 0, kRows);
      one.trials.emplace_back([=, function = kernel.function] {
        function({w->data(), cols, x->data(), kBatch, got->data(), kRows}, 0, kRows);
        return same_values(*got, *expected);
      });
    }
    cases.push_back(std::move(one));
  }
}

/// Codes, inputs and sums of a scan; every byte value occurs.
struct ScanProblem {
  static constexpr int64_t kTiles = 9;
  static constexpr int64_t kMaxSteps = 67;
  AlignedArray<uint8_t> lines{static_cast<size_t>(kTiles * kMaxSteps * kernels::kScanLineBytes)};
  static constexpr int64_t kBatch = kernels::kScanMostBatch;
  static constexpr int64_t kRows = kTiles * kernels::kScanTileRows;
  std::vector<int8_t> x = std::vector<int8_t>(kBatch * kMaxSteps * kernels::kScanXBytes);
  std::vector<int32_t> sums = std::vector<int32_t>(2 * kBatch * kRows);

  ScanProblem() {
    for (size_t i = 0; i < lines.size(); ++i) lines[i] = static_cast<uint8_t>(i * 37 + i / 256);
    for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<int8_t>(i * 91 + 128);
  }
  void run(kernels::ScanI8Function* function, int64_t steps, int64_t batch) {
    int32_t* low = sums.data() + kBatch * kRows;
    const kernels::ScanI8 p{lines.data(), steps, batch, x.data(), sums.data(), low, kRows};
    function(p, 0, 2);
    function(p, 2, kTiles);
  }
};

void add_scan(std::vector<SelftestCase>& cases) {
  for (const auto& kernel : kernels::kScanI8) {
    if (!base::has_isa(kernel.isa)) continue;
    SelftestCase one{kernel.name, {}};
    for (const auto& [steps, batch] : {std::pair<int64_t, int64_t>{1, 1},
                                       {32, ScanProblem::kBatch},
                                       {ScanProblem::kMaxSteps, 1},
                                       {ScanProblem::kMaxSteps, 3},
                                       {ScanProblem::kMaxSteps, 5}}) {
      const auto expected = std::make_shared<ScanProblem>();
      const auto got = std::make_shared<ScanProblem>();
      expected->run(kernels::kScanI8[0].function, steps, batch);
      one.trials.emplace_back([=, function = kernel.function, steps = steps, batch = batch] {
        got->run(function, steps, batch);
        return same_values(got->sums, expected->sums);
      });
    }
    cases.push_back(std::move(one));
  }
}

}  // namespace

void add_array_cases(std::vector<SelftestCase>& cases) {
  add_tables(kernels::kTablesT3F32, 18, kernels::kT3LineFloats, cases);
  add_tables(kernels::kTablesB1F32, 64, kernels::kB1PairFloats, cases);
  add_quantize(cases);
  add_dense(kernels::kDenseBf16F32, cases);
  add_dense(kernels::kDenseF16F32, cases);
  add_scan(cases);
}

}  // namespace rsr::linear
