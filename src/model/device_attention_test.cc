// Caches and attention on a device: the bits of the CPU's reference.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "cuda/test_device.h"
#include "model/device_attention_problem.h"

namespace rsr::cuda {
namespace {

using kernels::KvType;

/// A problem's arrays in device memory.
struct OnDevice {
  OnDevice(Stream& stream, const AttentionProblem& problem, int chunks)
      : p(problem),
        cache(stream, {p.cache.data(), p.cache.data() + p.cache.size()}),
        queries(stream, p.queries),
        keys(stream, of_batch(p.keys)),
        values(stream, of_batch(p.values)),
        cosine(stream, p.cosine),
        sine(stream, p.sine),
        start(stream, {p.shape.start}),
        out(stream, std::vector<float>(p.queries.size(), -7)),
        states(stream, std::vector<float>(p.queries.size() / p.shape.dim * chunks *
                                              (kernels::kStateHead + p.kv.value_stride),
                                          std::nanf(""))),
        arrived(stream, std::vector<int32_t>(2 * p.queries.size() / p.shape.dim)),
        kv(p.kv),
        provided(chunks) {
    kv.data = cache.data();
  }

  RopeAppend append() const {
    return {queries.data(),  keys.data(),   values.data(),
            p.query_heads(), p.shape.batch, start.data(),
            cosine.data(),   sine.data(),   kv};
  }
  Attend attend() const {
    return {queries.data(), out.data(),    p.query_heads(), p.shape.batch,  start.data(),
            provided,       states.data(), p.shape.batch,   arrived.data(), kv};
  }
  Attend append_and_attend() const {
    Attend both = attend();
    both.keys = keys.data();
    both.values = values.data();
    both.cosine = cosine.data();
    both.sine = sine.data();
    return both;
  }

  /// Of the tokens of the batch, which are the last ones.
  std::vector<float> of_batch(const std::vector<float>& rows) const {
    const auto count = static_cast<std::ptrdiff_t>(p.shape.batch) * p.shape.heads * p.shape.dim;
    return {rows.end() - count, rows.end()};
  }

  const AttentionProblem& p;
  DeviceArray<uint8_t> cache;
  DeviceArray<float> queries, keys, values, cosine, sine;
  DeviceArray<int32_t> start;
  DeviceArray<float> out, states;
  DeviceArray<int32_t> arrived;
  KvHeads kv;
  int provided;
};

/// Equal bits, but for what a NaN says.
void expect_bits(const std::vector<float>& got, const std::vector<float>& want) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) {
    if (std::isnan(want[i]) && std::isnan(got[i])) continue;
    ASSERT_EQ(std::memcmp(&got[i], &want[i], sizeof(float)), 0)
        << "[" << i << "] " << got[i] << " " << want[i];
  }
}

std::string describe(const AttentionShape& s, int chunks) {
  std::ostringstream out;
  out << "type " << static_cast<int>(s.type) << ", dim " << s.dim << ", heads " << s.heads << " x "
      << s.group << ", batch " << s.batch << " from " << s.start << ", chunks " << chunks;
  return out.str();
}

int chunks_of(const AttentionShape& s) {
  return (s.start + s.batch + 255) / 256;
}

class CudaAttention : public OnDevices {
 protected:
  /// Both operations, one after the other, against the reference.
  void expect_same(const AttentionShape& shape, int chunks) {
    SCOPED_TRACE(describe(shape, chunks));
    AttentionProblem problem(shape);
    problem.append(0, shape.start);
    const OnDevice on(stream, problem, chunks);
    run(&Operations::rope_append, on.append());
    const auto turned = problem.turned_queries();
    expect_bits(on.queries.read(), turned);
    problem.append(shape.start, problem.positions());
    const auto cache = on.cache.read();
    EXPECT_EQ(std::memcmp(cache.data(), problem.cache.data(), cache.size()), 0);
    run(&Operations::attend, on.attend());
    expect_bits(on.out.read(), problem.attend(turned));
    EXPECT_EQ(on.arrived.read(), std::vector<int32_t>(on.arrived.size()));
    if (shape.batch == 1) expect_same_at_once(problem, chunks, turned);
  }
  /// One operation that appends and attends; `problem` has appended.
  void expect_same_at_once(const AttentionProblem& problem, int chunks,
                           const std::vector<float>& turned) {
    AttentionProblem before(problem.shape);
    before.append(0, problem.shape.start);
    const OnDevice on(stream, before, chunks);
    run(&Operations::attend, on.append_and_attend());
    const auto cache = on.cache.read();
    EXPECT_EQ(std::memcmp(cache.data(), problem.cache.data(), cache.size()), 0);
    EXPECT_EQ(on.queries.read(), problem.queries);
    expect_bits(on.out.read(), problem.attend(turned));
  }
  /// In one order only, for what takes long.
  bool once() const {
    return GetParam().name == "cuda" || GetParam().order == emulated::Order::shuffled;
  }
};

constexpr KvType kTypes[] = {KvType::f32, KvType::f16, KvType::i8};

TEST_P(CudaAttention, OneTokenHasTheBitsOfTheCpu) {
  for (const KvType type : kTypes) {
    for (const int dim : {16, 20, 64, 80, 128}) {
      for (const int start : {0, 14, 15, 16, 40, 255, 256}) {
        const AttentionShape shape = {type, dim, 1, dim == 64 ? 3 : 1, 1, start};
        expect_same(shape, chunks_of(shape));
      }
    }
  }
}

TEST_P(CudaAttention, SeveralChunksAreMergedInOrder) {
  for (const KvType type : kTypes) {
    expect_same({type, 64, 1, 1, 1, 599}, 3);
    expect_same({type, 80, 2, 3, 1, 1100}, 8);  // more provided for than there are
  }
}

TEST_P(CudaAttention, QueriesOfAGroupTogether) {
  // So many chunks are provided for that a block takes four queries.
  for (const KvType type : kTypes) {
    expect_same({type, 20, 2, 4, 1, 300}, 24);
    expect_same({type, 128, 2, 3, 1, 200}, 32);
    expect_same({type, 16, 1, 6, 1, 258}, 32);  // two blocks for a head
    expect_same({type, 16, 1, 2, 3, 253}, 32);  // two tokens' queries in a block
  }
}

TEST_P(CudaAttention, BatchesHaveTheBitsOfTheCpu) {
  for (const KvType type : kTypes) {
    expect_same({type, 20, 2, 1, 5, 3}, 1);
    expect_same({type, 64, 1, 3, 4, 100}, 1);
    expect_same({type, 80, 1, 4, 5, 254}, 2);  // a tile over the border of a chunk
    expect_same({type, 128, 1, 4, 4, 512}, 3);
    expect_same({type, 16, 1, 1, 70, 0}, 1);
  }
}

TEST_P(CudaAttention, WideHeads) {
  for (const KvType type : kTypes) {
    if (!once()) continue;
    expect_same({type, 256, 1, 3, 1, 100}, 64);
    expect_same({type, 272, 1, 1, 1, 33}, 1);
    expect_same({type, 512, 1, 4, 1, 40}, 64);
    expect_same({type, 512, 1, 4, 3, 40}, 1);
  }
}

TEST_P(CudaAttention, ManyTokensGoOverAllChunksInABlock) {
  if (!once()) return;
  expect_same({KvType::f16, 16, 16, 1, 241, 20}, 2);
}

TEST_P(CudaAttention, WithoutRoomForStatesABlockGoesOverAllChunks) {
  const AttentionProblem problem({KvType::f16, 32, 2, 2, 3, 300});
  const OnDevice on(stream, problem, 2);
  run(&Operations::rope_append, on.append());
  Attend attend = on.attend();
  run(&Operations::attend, attend);
  const std::vector<float> want = on.out.read();
  attend.states = nullptr;
  attend.state_tokens = 2;
  run(&Operations::attend, attend);
  EXPECT_EQ(on.out.read(), want);
}

TEST_P(CudaAttention, ExtremeScoresWeighAsOnTheCpu) {
  for (const KvType type : {KvType::f32, KvType::f16}) {
    const AttentionShape shape = {type, 20, 1, 1, 1, 280};
    AttentionProblem problem(shape);
    for (float& v : problem.queries) v *= 40;  // weights of 0 and 1
    problem.append(0, problem.positions());
    OnDevice on(stream, problem, 2);
    run(&Operations::attend, on.attend());
    expect_bits(on.out.read(), problem.attend(problem.queries));
  }
}

TEST_P(CudaAttention, ZerosInTheCacheStayZeros) {
  for (const KvType type : kTypes) {
    const AttentionShape shape = {type, 20, 1, 2, 1, 3};
    AttentionProblem problem(shape);
    std::fill(problem.keys.begin(), problem.keys.end(), 0.0f);
    std::fill(problem.values.begin(), problem.values.end(), -0.0f);
    problem.append(0, 3);
    const OnDevice on(stream, problem, 1);
    run(&Operations::rope_append, on.append());
    problem.append(3, 4);
    const auto cache = on.cache.read();
    EXPECT_EQ(std::memcmp(cache.data(), problem.cache.data(), cache.size()), 0);
    run(&Operations::attend, on.attend());
    expect_bits(on.out.read(), problem.attend(problem.turned_queries()));
  }
}

TEST_P(CudaAttention, ANaNIsNeverHiddenAndNeverSeenTooEarly) {
  for (const KvType type : kTypes) {
    for (const bool in_key : {false, true}) {
      const AttentionShape shape = {type, 20, 1, 4, 4, 254};
      AttentionProblem problem(shape);
      auto& rows = in_key ? problem.keys : problem.values;
      rows[256 * 20 + 7] = std::nanf("");  // of the batch's third token
      rows[257 * 20 + 3] = std::numeric_limits<float>::infinity();
      problem.append(0, 254);
      const OnDevice on(stream, problem, 2);
      run(&Operations::rope_append, on.append());
      problem.append(254, problem.positions());
      run(&Operations::attend, on.attend());
      const auto want = problem.attend(problem.turned_queries());
      EXPECT_FALSE(std::isnan(want[2 * 80 - 1]));
      EXPECT_TRUE(std::isnan(want[2 * 80 + 7]));
      expect_bits(on.out.read(), want);
    }
  }
}

TEST_P(CudaAttention, AGraphServesEveryPosition) {
  const AttentionShape shape = {KvType::f16, 64, 1, 2, 1, 300};
  AttentionProblem problem(shape);
  problem.append(0, problem.positions());
  const OnDevice on(stream, problem, 2);
  Result<Graph> graph =
      stream.capture([&] { return stream.run(&Operations::attend, on.append_and_attend()); });
  ASSERT_TRUE(graph.ok());
  for (const int32_t start : {7, 255, 256, 299}) {
    // The token of the problem, with the keys and values that the CPU has at this position.
    AttentionShape at = shape;
    at.start = start;
    AttentionProblem earlier = problem;
    earlier.shape = at;
    const auto row = static_cast<size_t>(start) * 64;
    ASSERT_TRUE(stream.copy_to_device(on.start.data(), &start, sizeof start).ok());
    ASSERT_TRUE(stream.copy_to_device(on.queries.data(), problem.queries.data(), 2 * 64 * 4).ok());
    ASSERT_TRUE(stream.copy_to_device(on.keys.data(), &problem.keys[row], 64 * 4).ok());
    ASSERT_TRUE(stream.copy_to_device(on.values.data(), &problem.values[row], 64 * 4).ok());
    ASSERT_TRUE(stream.wait().ok());
    ASSERT_TRUE(stream.launch(*graph).ok());
    expect_bits(on.out.read(), earlier.attend(earlier.turned_queries()));
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, CudaAttention, testing::ValuesIn(test_devices()));

}  // namespace
}  // namespace rsr::cuda
