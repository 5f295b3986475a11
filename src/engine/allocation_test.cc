// Decoding allocates nothing: this program counts every call of operator new, on any thread.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "engine/head.h"
#include "engine/tiny_engine.h"

namespace {
std::atomic<int64_t> allocations = 0;
}  // namespace

// Not inlined: GCC 12 would then see free() of what operator new gave, and warn.
[[gnu::noinline]] void* operator new(size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;  // NOLINT(cppcoreguidelines-no-malloc)
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);  // NOLINT(cppcoreguidelines-no-malloc)
}
[[gnu::noinline]] void operator delete(void* memory, size_t /*size*/) noexcept {
  std::free(memory);  // NOLINT(cppcoreguidelines-no-malloc)
}

namespace rsr {
namespace {

class Allocation : public TinyEngine {
 protected:
  /// How often memory was allocated for `count` tokens.
  int64_t while_decoding(const engine::HeadModel& with, int count) {
    const int64_t before = allocations;
    for (int i = 0; i < count; ++i) {
      if (!head_.read(with, {&id_, 1}, 1, sampler_).ok()) return -1;
      const Result<int32_t> next = head_.sample(with, 0, sampler_);
      if (!next.ok()) return -1;
      id_ = *next;
    }
    return allocations - before;
  }

  engine::Sampler sampler_{engine::Sampling{}};  // greedy
  engine::Head head_;
  int32_t id_ = 7;
};

TEST_F(Allocation, IsCounted) {
  const int64_t before = allocations;
  const auto number = std::make_unique<int>(3);
  EXPECT_EQ(allocations - before, 1);
  EXPECT_EQ(*number, 3);
}

TEST_F(Allocation, NoneForATokenButTheFirst) {
  for (const HeadMethod method : {HeadMethod::full, HeadMethod::scan}) {
    for (const KvCacheType kv : {KvCacheType::f32, KvCacheType::f16, KvCacheType::i8}) {
      const Engine engine = open({.context = {.threads = 2}, .kv_cache = kv, .head = method});
      const Engine::Impl& impl = engine.impl();
      model::Sequence sequence(
          model::KvCache::create(impl.model.config, 700, impl.kv_type).value());
      const engine::HeadModel with = {impl.context.impl(), impl.model, kVocab, sequence};
      head_ = engine::Head();
      EXPECT_GE(while_decoding(with, 1), 0);
      // Attention keeps a state for each chunk of 256 positions; its memory grows with them.
      while_decoding(with, 300);
      EXPECT_EQ(while_decoding(with, 200), 0);
    }
  }
}

TEST_F(Allocation, NoneForATokenThatIsDrawn) {
  const Engine engine = open({.context = {.threads = 1}});
  const Engine::Impl& impl = engine.impl();
  model::Sequence sequence(model::KvCache::create(impl.model.config, 700, impl.kv_type).value());
  const engine::HeadModel with = {impl.context.impl(), impl.model, kVocab, sequence};
  sampler_ = engine::Sampler({.temperature = 1.5f, .top_p = 0.9f, .min_p = 0.01f});
  EXPECT_GE(while_decoding(with, 10), 0);
  EXPECT_EQ(while_decoding(with, 200), 0);
}

}  // namespace
}  // namespace rsr
