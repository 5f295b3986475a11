// The emulated device itself: what kernels rely on, and what it punishes.
#include <algorithm>
#include <numeric>

#include "cuda/emulated/launch.h"
#include "cuda/launch.h"
#include "cuda/test_device.h"

namespace rsr::cuda::emulated {
namespace {

struct Sums {
  const uint32_t* x;
  uint32_t* y;
  bool barrier = true;
};

/// y[block] = the sum of the block's 64 elements, by way of the last thread's neighbours.
RSR_KERNEL(64) sum_block(Sums p) {
  simt::wait_for_previous();
  auto& values = simt::shared<uint32_t[64]>();
  const int i = simt::thread();
  values[i] = p.x[simt::block_x() * 64 + i];
  if (p.barrier) simt::sync();
  uint32_t other = values[63 - i];
  for (int mask = 16; mask > 0; mask /= 2) other += simt::shuffle_xor(other, mask);
  if (simt::lane() == 0) simt::atomic_add(&p.y[simt::block_x()], other);
}

template <class Params>
void run(const simt::Launch& how, void (*kernel)(Params), const Params& p) {
  Grid grid(how, [kernel, p] { kernel(p); });
  grid.start();
  grid.finish();
}

TEST(Fibers, BarriersShufflesAndAtomicsWorkInEachOrder) {
  std::vector<uint32_t> x(3 * 64);
  std::iota(x.begin(), x.end(), 1);
  for (const Order order : {Order::forwards, Order::backwards, Order::shuffled}) {
    set_order(order);
    std::vector<uint32_t> y(3);
    run({3, 1, 64, 64 * sizeof(uint32_t)}, sum_block, {x.data(), y.data()});
    EXPECT_EQ(y, (std::vector<uint32_t>{2080, 6176, 10272}));
  }
  set_order(Order::forwards);
}

TEST(Fibers, AMissingBarrierShows) {
  std::vector<uint32_t> x(64, 1);
  std::vector<uint32_t> y(1);
  set_order(Order::forwards);
  run({1, 1, 64, 64 * sizeof(uint32_t)}, sum_block, {x.data(), y.data(), false});
  EXPECT_NE(y[0], 64U);
}

RSR_KERNEL(64) half_of_a_barrier(Sums) {
  simt::wait_for_previous();
  if (simt::thread() < 40) {
    simt::warp_sync();  // the lanes 8.. of the second warp never come
  } else {
    simt::sync();
  }
}

TEST(FibersDeathTest, ABarrierThatSomeDoNotReachEndsTheProgram) {
  EXPECT_DEATH(run({1, 1, 64, 0}, half_of_a_barrier, {}), "all_came");
}

struct Product {
  const uint32_t* a;  // [lane][4]
  const uint32_t* b;  // [lane][2]
  int32_t* c;         // [lane][4]
};
RSR_KERNEL(32) multiply_fragments(Product p) {
  simt::wait_for_previous();
  const int l = simt::lane();
  const uint32_t a[4] = {p.a[4 * l], p.a[4 * l + 1], p.a[4 * l + 2], p.a[4 * l + 3]};
  const uint32_t b[2] = {p.b[2 * l], p.b[2 * l + 1]};
  int32_t c[4] = {1, 2, 3, 4};
  simt::mma_u8_s8(c, a, b);
  for (int i = 0; i < 4; ++i) p.c[4 * l + i] = c[i];
}

/// The fragments as PTX draws them, element by element.
TEST(Fibers, TheMatrixInstructionIsTheOneOfPtx) {
  uint8_t rows[16][32];
  int8_t cols[8][32];
  for (int k = 0; k < 32; ++k) {
    for (int r = 0; r < 16; ++r) rows[r][k] = static_cast<uint8_t>(17 * r + 5 * k + 200);
    for (int n = 0; n < 8; ++n) cols[n][k] = static_cast<int8_t>(31 * n - 9 * k);
  }
  uint8_t a[32][4][4];
  int8_t b[32][2][4];
  for (int lane = 0; lane < 32; ++lane) {
    for (int byte = 0; byte < 4; ++byte) {
      for (int i = 0; i < 4; ++i) {
        a[lane][i][byte] = rows[lane / 4 + i % 2 * 8][lane % 4 * 4 + byte + i / 2 * 16];
      }
      for (int i = 0; i < 2; ++i) b[lane][i][byte] = cols[lane / 4][lane % 4 * 4 + byte + i * 16];
    }
  }
  std::vector<uint32_t> a_words(32 * 4);
  std::vector<uint32_t> b_words(32 * 2);
  std::memcpy(a_words.data(), a, sizeof a);
  std::memcpy(b_words.data(), b, sizeof b);
  std::vector<int32_t> c(32 * 4);
  const Product p = {a_words.data(), b_words.data(), c.data()};
  run({1, 1, 32, 0}, multiply_fragments, p);
  for (int lane = 0; lane < 32; ++lane) {
    for (int i = 0; i < 4; ++i) {
      const int row = lane / 4 + i / 2 * 8;
      const int col = lane % 4 * 2 + i % 2;
      int32_t wanted = i + 1;
      for (int k = 0; k < 32; ++k) wanted += rows[row][k] * cols[col][k];
      EXPECT_EQ(c[static_cast<size_t>(4 * lane + i)], wanted) << lane << ", " << i;
    }
  }
}

struct Copies {
  const uint8_t* from;
  uint8_t* seen;  // before and after the wait
};
RSR_KERNEL(32) copy_late(Copies p) {
  simt::wait_for_previous();
  auto& there = simt::shared<uint8_t[32][16]>();
  const int i = simt::thread();
  there[i][0] = 0;
  simt::copy_async(there[i], p.from + 16 * i);
  simt::copies_commit();
  p.seen[2 * i] = there[i][0];
  simt::copies_wait<0>();
  p.seen[2 * i + 1] = there[i][0];
}

TEST(Fibers, CopiesArriveWhenTheyAreWaitedFor) {
  alignas(16) uint8_t from[32 * 16];
  std::fill(std::begin(from), std::end(from), uint8_t{7});
  std::vector<uint8_t> seen(64);
  const Copies p = {from, seen.data()};
  run({1, 1, 32, 32 * 16}, copy_late, p);
  for (size_t i = 0; i < 32; ++i) {
    EXPECT_EQ(seen[2 * i], 0);
    EXPECT_EQ(seen[2 * i + 1], 7);
  }
}

struct Handed {
  const uint32_t* from;
  uint32_t* to;
  bool waits = true;
};
/// What the kernel in front has written, and one more.
RSR_KERNEL(32) hand_on(Handed p) {
  if (p.waits) simt::wait_for_previous();
  const uint32_t value = p.from[simt::thread()];
  if (!p.waits) simt::wait_for_previous();
  p.to[simt::thread()] = value + 1;
}

/// x + 3 by three launches in a row, on a stream or as a graph of it.
std::vector<uint32_t> handed_on(bool waits, bool as_graph) {
  std::vector<std::vector<uint32_t>> values(4, std::vector<uint32_t>(32));
  void* stream = backend().create_stream(0).value();
  if (as_graph) {
    EXPECT_TRUE(backend().begin_capture(0, stream).ok());
  }
  for (size_t i = 0; i < 3; ++i) {
    const Handed p = {values[i].data(), values[i + 1].data(), waits};
    EXPECT_TRUE(launch(0, stream, {1, 1, 32, 0}, hand_on, p).ok());
  }
  if (as_graph) {
    void* graph = backend().end_capture(0, stream).value();
    EXPECT_TRUE(backend().launch_graph(0, stream, graph).ok());
    EXPECT_TRUE(backend().wait(0, stream).ok());
    backend().destroy_graph(0, graph);
  }
  EXPECT_TRUE(backend().wait(0, stream).ok());
  backend().destroy_stream(0, stream);
  return values[3];
}

TEST(Streams, AKernelStartsBeforeTheOneInFrontHasEnded) {
  for (const bool as_graph : {false, true}) {
    EXPECT_EQ(handed_on(true, as_graph), std::vector<uint32_t>(32, 3));
    EXPECT_NE(handed_on(false, as_graph), std::vector<uint32_t>(32, 3));  // it read too early
  }
}

RSR_KERNEL(32) never_wait(Sums) {}

TEST(StreamsDeathTest, AKernelThatDoesNotWaitEndsTheProgram) {
  EXPECT_DEATH(run({1, 1, 32, 0}, never_wait, {}), "has_waited");
}

TEST(Devices, AreFoundByTheirNames) {
  add_backend(&backend());
  EXPECT_EQ(Device::open("emulated:1").value().describe(), "emulated:1, emulated on the host");
  EXPECT_NE(Device::open("emulated:2").status().message().find("there are 2 devices"),
            std::string::npos);
  EXPECT_NE(Device::open("emulated:x").status().message().find("number"), std::string::npos);
  EXPECT_NE(Device::open("tpu").status().message().find("known: cpu, cuda"), std::string::npos);
}

}  // namespace
}  // namespace rsr::cuda::emulated
