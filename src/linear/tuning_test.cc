// The choice of settings, without clocks: defaults, predictions, trials, the chooser, the cache.
#include "linear/tuning.h"

#include <gtest/gtest.h>

#include <vector>

#include "linear/candidates.h"
#include "linear/cost_model.h"
#include "linear/planner.h"
#include "linear/tuner.h"

namespace rsr::linear {
namespace {

using base::Isa;
using matrix::Format;

TEST(Defaults, AreKnownToEveryFormatAndIsa) {
  for (const Isa isa : base::kAllIsas) {
    for (const Format format : matrix::kAllFormats) {
      const Tuning tuning = default_tuning(format, isa);
      EXPECT_GT(tuning.prefetch.far, tuning.prefetch.near);
      EXPECT_GE(tuning.gemm_batch, 2);
      EXPECT_EQ(TuningTable(isa).of(format), tuning);
    }
    EXPECT_FALSE(TuningTable(isa).measured);
  }
}

TEST(KernelSet, UsesTheTuning) {
  KernelSet kernels(Isa::avx512vbmi);
  const auto* matvec = kernels.for_batch(Format::t5, {8, 4096});
  const auto* gemm = kernels.for_batch(Format::t5, {9, 4096});
  EXPECT_STREQ(matvec->name, "matvec_t5_i8_avx512vbmi");
  EXPECT_STREQ(gemm->name, "gemm_t5_i8_avx512vbmi");
  kernels.tuning.of(Format::t5).gemm_batch = 5;
  EXPECT_EQ(kernels.for_batch(Format::t5, {4, 4096}), matvec);
  EXPECT_EQ(kernels.for_batch(Format::t5, {5, 4096}), gemm);
  EXPECT_EQ(kernels.token_tile(*matvec, 20), matvec->token_tile);
  kernels.tuning.of(Format::t5).token_tile = 4;
  EXPECT_EQ(kernels.token_tile(*matvec, 20), 4);
  EXPECT_EQ(kernels.token_tile(*matvec, 3), 3);
  EXPECT_EQ(kernels.token_tile(*gemm, 20), gemm->token_tile);
}

TEST(KernelSet, LooksUpWhereTablesPay) {
  KernelSet kernels(Isa::avx2);
  const auto name = [&](const BatchShape& shape) {
    return std::string(kernels.for_batch(Format::t2, shape)->name);
  };
  EXPECT_EQ(name({16, 4096}), "gemm_tables_t2_i8_avx2");
  EXPECT_EQ(name({128, 2560}), "gemm_tables_t2_i8_avx2");
  EXPECT_EQ(name({8, 4096}), "gemm_t2_i8_avx2");          // half a token tile
  EXPECT_EQ(name({17, 4096}), "gemm_t2_i8_avx2");         // a whole one and hardly any of the next
  EXPECT_EQ(name({128, 200}), "gemm_t2_i8_avx2");         // too few rows for tables
  EXPECT_EQ(name({128, 2560, true}), "gemm_t2_i8_avx2");  // scales of groups
  const auto* tables = kernels.for_batch(Format::t2, {128, 2560});
  EXPECT_EQ(kernels.token_tile(*tables, 128), 16);
  EXPECT_EQ(kernels.token_tile(*tables, 5), 5);
  kernels.tuning.of(Format::t2).tables_gain = 0;
  EXPECT_EQ(name({128, 2560}), "gemm_t2_i8_avx2");
  const KernelSet vnni(Isa::avx512vnni);
  EXPECT_STREQ(vnni.for_batch(Format::t2, {128, 4096})->name, "gemm_t2_i8_avx512vnni");
  EXPECT_STREQ(vnni.for_batch(Format::b1, {128, 4096})->name, "gemm_tables_b1_i8_avx512bw");
}

TEST(KernelSet, LooksUpFloatsWhereTablesPay) {
  const KernelSet avx2(Isa::avx2);
  EXPECT_STREQ(avx2.look_ups_f32(Format::t2, {8, 4096})->name, "gemm_tables_t2_f32_avx2");
  EXPECT_STREQ(avx2.look_ups_f32(Format::b1, {3, 4096})->name, "gemm_tables_b1_f32_avx2");
  EXPECT_EQ(avx2.look_ups_f32(Format::b1, {1, 4096}), nullptr);
  EXPECT_EQ(avx2.look_ups_f32(Format::t2, {8, 16}), nullptr);
  EXPECT_EQ(avx2.look_ups_f32(Format::t2, {8, 4096, true}), nullptr);
  EXPECT_EQ(KernelSet(Isa::reference).look_ups_f32(Format::t2, {8, 4096}), nullptr);
  const KernelSet wide(Isa::avx512bw);
  EXPECT_STREQ(wide.look_ups_f32(Format::t2, {64, 4096})->name, "gemm_tables_t2_f32_avx512bw");
  EXPECT_STREQ(wide.look_ups_f32(Format::t3, {64, 4096})->name, "gemm_tables_t3_f32_avx512bw");
  EXPECT_EQ(wide.look_ups_f32(Format::t3, {10, 4096}), nullptr);
}

// --- predictions

double seconds_of(const KernelSet& kernels, const ProductQuestion& q, Format format) {
  for (const Candidate& c : candidates(kernels, q)) {
    if (c.question.kind == KernelKind::matvec && c.question.format == format) return c.cost.seconds;
  }
  return 1e9;
}

TEST(CostModel, AgreesWithTheChoiceOfFormatForOneVector) {
  for (const Isa isa : base::kAllIsas) {
    const KernelSet kernels(isa);
    for (const bool binary : {false, true}) {
      for (const bool floats : {false, true}) {
        for (const Residency residency : {Residency::memory, Residency::cache}) {
          const ProductQuestion q{binary, floats, residency, 4096, 4096, 1, 2};
          const auto all = candidates(kernels, q);
          ASSERT_TRUE(all.front().chosen);
          for (const Candidate& c : all) {
            if (c.question.kind == KernelKind::rsr) continue;  // no format of packed weights
            EXPECT_GE(c.cost.seconds, all.front().cost.seconds)
                << base::isa_name(isa) << " " << c.format << " " << floats << " "
                << static_cast<int>(residency);
            EXPECT_GT(c.cost.bytes, 0);
            EXPECT_GT(c.cost.operations, 0);
          }
        }
      }
    }
  }
}

TEST(CostModel, ReadingDecidesFromMemoryAndWorkFromTheCache) {
  const KernelSet kernels(Isa::avx512vbmi);
  ProductQuestion q{false, false, Residency::memory, 4096, 14336, 1, 1};
  EXPECT_LT(seconds_of(kernels, q, Format::t5), seconds_of(kernels, q, Format::t2));
  // 1.6 of 2 bits.
  EXPECT_NEAR(seconds_of(kernels, q, Format::t5) / seconds_of(kernels, q, Format::t2), 0.8, 0.01);
  q.residency = Residency::cache;
  EXPECT_GT(seconds_of(kernels, q, Format::t5), seconds_of(kernels, q, Format::t2));
}

TEST(CostModel, AGemmWinsWhereTheDefaultsUseOne) {
  for (const Isa isa : {Isa::avx512vbmi, Isa::amx}) {
    for (const Format format : {Format::t5, Format::t2, Format::b1}) {
      CostQuestion q{.format = format, .isa = isa, .rows = 4096, .cols = 4096};
      for (q.batch = 2; q.batch <= 256; q.batch *= 2) {
        q.kind = KernelKind::matvec;
        const double matvec = assumed_rate(q);
        q.kind = KernelKind::gemm;
        if (q.batch >= default_tuning(format, q.isa).gemm_batch) {
          EXPECT_GE(assumed_rate(q), matvec) << q.batch;
        } else {
          EXPECT_LE(assumed_rate(q), matvec) << q.batch;
        }
      }
    }
  }
}

TEST(CostModel, RsrIsSlowerThanPackedCodes) {
  // Measured from memory, one thread, 4096 x 14336, against t2 at its 2 bits: lanes 1.4 times (2.6
  // bits), column groups in Gray order 8 times.
  const KernelSet kernels(Isa::avx512vbmi);
  for (const int64_t cols : {2560, 14336}) {
    const ProductQuestion q{false, false, Residency::memory, 4096, cols, 1, 1};
    const double packed = seconds_of(kernels, q, Format::t2);
    for (const Candidate& c : candidates(kernels, q)) {
      if (c.question.kind != KernelKind::rsr) continue;
      const bool lanes = c.format == "lanes";
      EXPECT_EQ(lanes, c.question.form != RsrForm::gray);
      EXPECT_GT(c.cost.seconds, (lanes ? 1.2 : 4) * packed);
      EXPECT_LT(c.cost.seconds, (lanes ? 1.6 : 20) * packed);
      EXPECT_GE(c.question.k, 1);
    }
  }
}

TEST(CostModel, SmallProductsHaveOneThread) {
  CostQuestion q{.isa = Isa::avx2, .rows = 64, .cols = 64, .threads = 8};
  EXPECT_EQ(threads_used(q), 1);
  q.rows = q.cols = 4096;
  EXPECT_EQ(threads_used(q), 8);
  q.rows = 16;
  EXPECT_EQ(threads_used(q), 1);  // one tile
}

// --- trials and the chooser

TEST(Trials, HaveTheSameOrderForAllShapes) {
  const KernelSet kernels(Isa::avx512vbmi);
  const TuneShape large{Format::t5, false, 4096, 14336, 1, 1};
  const TuneShape small{Format::t5, false, 16, 64, 1, 1};
  const auto a = trials(Knob::prefetch, kernels, large);
  const auto b = trials(Knob::prefetch, kernels, small);
  ASSERT_EQ(a.size(), b.size());
  EXPECT_EQ(a[0], default_tuning(Format::t5, Isa::avx512vbmi));
  for (size_t i = 1; i < a.size(); ++i) EXPECT_FALSE(a[i] == a[0]);
  // A stream of 16 bytes is not prefetched kilobytes ahead.
  for (size_t i = 1; i < b.size(); ++i) {
    EXPECT_TRUE(b[i] == b[0] || b[i].prefetch.far == 0);
  }
}

TEST(Trials, LeaveOutWhatWouldRunAsTheDefaultDoes) {
  const KernelSet kernels(Isa::avx512vbmi);
  const auto distinct = [&](Knob knob, const TuneShape& shape, const KernelSet& set) {
    const auto all = trials(knob, set, shape);
    size_t count = 0;
    for (const Tuning& t : all) count += t == all[0] ? 0 : 1;
    return count;
  };
  TuneShape s{Format::t5, false, 4096, 4096, 1, 1};
  EXPECT_EQ(distinct(Knob::token_tile, s, kernels), 0u);
  EXPECT_EQ(distinct(Knob::gemm, s, kernels), 0u);
  s.batch = 4;
  EXPECT_EQ(distinct(Knob::token_tile, s, kernels), 2u);  // 1 and 2
  EXPECT_EQ(distinct(Knob::gemm, s, kernels), 1u);
  s.batch = 16;  // a gemm: it has its own prefetching and width
  EXPECT_EQ(distinct(Knob::token_tile, s, kernels), 0u);
  EXPECT_EQ(distinct(Knob::prefetch, s, kernels), 0u);
  EXPECT_EQ(distinct(Knob::gemm, s, kernels), 1u);
  EXPECT_EQ(distinct(Knob::gemm, s, KernelSet(Isa::reference)), 0u);  // it has none
  EXPECT_EQ(distinct(Knob::prefetch, s, KernelSet(Isa::reference)), 0u);
}

TEST(Chooser, TakesTheFastestAndStaysWithTheFirstWhenLittleIsGained) {
  EXPECT_EQ(choose_trial({}), 0u);
  EXPECT_EQ(choose_trial({{1.0, 0.9, 0.8}}), 2u);
  EXPECT_EQ(choose_trial({{1.0, 0.99, 1.2}}), 0u);
  EXPECT_EQ(choose_trial({{1.0, 0, 0.97}}), 2u);  // the second was not timed
  // Ratios count, not sums: the small shape's 20% against the large one's 5%.
  EXPECT_EQ(choose_trial({{1e-6, 0.8e-6, 1e-6}, {1.0, 1.05, 0.95}}), 1u);
}

TEST(Chooser, FindsTheBatchFromWhichAGemmPays) {
  EXPECT_EQ(choose_gemm_batch({}, 9), 9);
  EXPECT_EQ(choose_gemm_batch({{4, 1, 2}, {8, 1, 1}, {16, 2, 1}}, 9), 9);
  EXPECT_EQ(choose_gemm_batch({{4, 1, 2}, {12, 1, 2}, {16, 2, 1}}, 9), 13);
  EXPECT_EQ(choose_gemm_batch({{4, 2, 1}, {8, 2, 1}}, 9), 4);
  EXPECT_EQ(choose_gemm_batch({{2, 2, 1}}, 9), 2);
  // Where shapes differ, the matvec's largest win decides.
  EXPECT_EQ(choose_gemm_batch({{8, 2, 1}, {8, 1, 2}}, 9), 9);
}

TEST(Chooser, FindsTheGainOfLookUps) {
  EXPECT_EQ(choose_tables_gain({}, 1.5), 1.5);
  EXPECT_NEAR(choose_tables_gain({{1'000'000'000, 3, 2}}, 0), 1.5, 1e-6);
  EXPECT_NEAR(choose_tables_gain({{130, 3, 2}}, 0), 3, 1e-9);  // half of the time were tables
  EXPECT_NEAR(choose_tables_gain({{130, 1, 1}, {130, 4, 1}}, 0), 4, 1e-9);
}

TEST(CostModel, LookUpsWinWhereTheDefaultsUseThem) {
  for (const Isa isa : base::kAllIsas) {
    const KernelSet kernels(isa);
    for (const bool binary : {false, true}) {
      for (const int64_t batch : {2, 16, 17, 64, 128}) {
        const auto all =
            candidates(kernels, {binary, false, Residency::memory, 4096, 4096, batch, 1});
        const bool chosen = all.front().question.kind == KernelKind::tables;
        for (const Candidate& c : all) {
          if (c.format != all.front().format) continue;
          if (c.question.kind == KernelKind::tables) {
            EXPECT_GT(c.cost.operations, 0);
            EXPECT_LT(c.cost.operations, 4096.0 * 4096 * 16 * static_cast<double>(batch));
          }
          if (!chosen) continue;
          EXPECT_GE(1.1 * c.cost.seconds, all.front().cost.seconds) << c.kernel;
        }
      }
    }
  }
}

TEST(CostModel, AnIndexIsChosenWithinItsMemory) {
  const KernelSet kernels(Isa::avx512vnni);
  ProductQuestion q{.rows = 2560, .cols = 2560, .batch = 128, .zeros = 70};
  const auto chosen = [&] { return candidates(kernels, q).front(); };
  EXPECT_EQ(chosen().question.kind, KernelKind::gemm);
  q.jit = true;
  EXPECT_EQ(chosen().question.kind, KernelKind::gemm);
  q.rsr_memory = 1 << 30;
  EXPECT_EQ(chosen().question.kind, KernelKind::compiled);
  q.rsr_memory = chosen().cost.bytes - 1;
  EXPECT_NE(chosen().question.kind, KernelKind::compiled);
  q = {.rows = 2560, .cols = 2560, .batch = 128, .zeros = 90, .rsr_memory = 1 << 30};
  EXPECT_EQ(chosen().question.kind, KernelKind::gray);
  q.batch = 1;
  EXPECT_EQ(chosen().question.kind, KernelKind::matvec);
  q.batch = 128;
  q.floats = true;
  EXPECT_EQ(chosen().kernel, "gemm_gray_f32_avx512bw");
  EXPECT_EQ(chosen().question.kind, KernelKind::gray);
  q.rsr_memory = 0;
  EXPECT_EQ(chosen().question.kind, KernelKind::tables);
}

TEST(RsrTrials, AreNeighboursOfTheEstimate) {
  using segment::Alphabet;
  for (const RsrForm form : {RsrForm::scatter, RsrForm::fold, RsrForm::gray}) {
    for (const Isa isa : base::kAllIsas) {
      const auto all = rsr_trials({isa, form, Alphabet::ternary, 2560, 2560});
      ASSERT_GE(all.size(), 2u);
      for (const int k : all) EXPECT_LE(std::abs(k - all[0]), 1);
      EXPECT_EQ(rsr_trials({isa, form, Alphabet::binary, 1, 64}), std::vector<int>{1});
    }
  }
}

}  // namespace
}  // namespace rsr::linear
