// Every gemm kernel against the exact product.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernels/gemm/list.h"
#include "kernels/matvec/expect.h"

namespace rsr::kernels {

// avxvnni.cc once more, in the encoding of AVX-512 VL (see there).
MatvecI8Function gemm_t2_i8_avxvnni_twin;
MatvecI8Function gemm_b1_i8_avxvnni_twin;

namespace {

std::vector<MatvecI8Kernel> kernels() {
  std::vector<MatvecI8Kernel> all(std::begin(kGemmI8), std::end(kGemmI8));
  all.push_back({matrix::Format::t2, base::Isa::avx512vnni, "gemm_t2_i8_avxvnni (EVEX)",
                 gemm_t2_i8_avxvnni_twin, 6});
  all.push_back({matrix::Format::b1, base::Isa::avx512vnni, "gemm_b1_i8_avxvnni (EVEX)",
                 gemm_b1_i8_avxvnni_twin, 6});
  std::erase_if(all, [](const auto& kernel) { return !base::has_isa(kernel.isa); });
  return all;
}

TEST(GemmI8, ShapesBatchesAndTails) {
  for (const auto& kernel : kernels()) {
    for (const auto alphabet : alphabets_of(kernel.format)) {
      for (const int64_t rows : {1, 64, 75, 150}) {
        for (const int64_t cols : {1, 20, 33, 480, 512, 513, 1100}) {
          for (const int64_t batch : {1, 5, 6, 13, 32}) {
            Problem problem({kernel.format, alphabet, rows, cols}, batch);
            expect_exact(kernel, problem, kernel.token_tile);
          }
        }
      }
    }
  }
}

TEST(GemmI8, EveryTailOfTokens) {
  for (const auto& kernel : kernels()) {
    for (int64_t batch = 1; batch <= 100; batch += batch < 40 ? 1 : 15) {
      // 350 columns: a chunk that is multiplied while another is decoded, and a rest.
      Problem problem({kernel.format, alphabets_of(kernel.format).back(), 40, 350}, batch);
      expect_exact(kernel, problem, kernel.token_tile);
    }
  }
}

TEST(GemmI8, MoreTokensThanABlock) {
  for (const auto& kernel : kernels()) {
    for (const int64_t batch : {192, 257, 401}) {
      Problem problem({kernel.format, alphabets_of(kernel.format).back(), 70, 100}, batch);
      expect_exact(kernel, problem, kernel.token_tile);
    }
    // So wide that few vectors are a block.
    Problem wide({kernel.format, alphabets_of(kernel.format).back(), 17, 17000}, 70);
    expect_exact(kernel, wide, kernel.token_tile);
  }
}

TEST(GemmI8, ReadsNothingBehindTheInputs) {
  // Instructions that sanitizers do not see: a page that must not be read lies behind what may be.
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  for (const auto& kernel : kernels()) {
    const bool rows = kernel.token_tile == 1;
    for (const int64_t cols : {64, 333, 2000}) {
      Problem problem({kernel.format, alphabets_of(kernel.format).back(), 40, cols}, 37);
      MatvecI8 p = problem.params(kernel.token_tile, false);
      const int64_t whole = rows ? (p.x_cols + 63) / 64 * 64 - p.x_cols : 0;
      const auto bytes = static_cast<size_t>(p.batch * p.x_cols + whole);
      const size_t pages = (bytes + page - 1) / page * page;
      void* memory =
          ::mmap(nullptr, pages + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      ASSERT_NE(memory, MAP_FAILED);
      auto* begin = static_cast<int8_t*>(memory) + pages - bytes;
      std::copy_n(p.x, p.batch * p.x_cols, begin);
      ASSERT_EQ(::mprotect(static_cast<int8_t*>(memory) + pages, page, PROT_NONE), 0);
      p.x = begin;
      std::vector<int32_t> y(static_cast<size_t>(p.batch * p.out.rows));
      p.out.sums = y.data();
      kernel.function(p, 0, problem.packed.tiles());
      EXPECT_EQ(y.back(), problem.sum(p.batch - 1, p.out.rows - 1)) << kernel.name;
      ::munmap(memory, pages + page);
    }
  }
}

TEST(GemmI8, Extremes) {
  for (const auto& kernel : kernels()) {
    for (const int value : {0, 1}) {
      for (const int x : {-128, 127}) {
        const auto alphabet = alphabets_of(kernel.format).front();
        Problem deep({kernel.format, alphabet, 20, 70001, 0, 0, value}, 7, x);
        expect_exact(kernel, deep, kernel.token_tile);
        Problem wide({kernel.format, alphabet, 20, 3001, 0, 0, value}, 37, x);
        expect_exact(kernel, wide, kernel.token_tile);
      }
    }
  }
}

TEST(GemmI8, ScalesOfTokensRowsAndGroups) {
  for (const auto& kernel : kernels()) {
    for (const auto alphabet : alphabets_of(kernel.format)) {
      Problem plain({kernel.format, alphabet, 90, 1333}, 8);
      expect_scaled(kernel, plain, kernel.token_tile, false);
      if (kernel.format == matrix::Format::t5) continue;
      for (const int64_t group : {64, 128, 50}) {
        Problem grouped({kernel.format, alphabet, 90, 1333, group}, 8);
        expect_scaled(kernel, grouped, kernel.token_tile, true);
      }
      for (const int64_t group : {64, 96, 320}) {
        Problem grouped({kernel.format, alphabet, 40, 430, group}, 39);
        expect_scaled(kernel, grouped, kernel.token_tile, true);
      }
    }
  }
}

}  // namespace
}  // namespace rsr::kernels
