#include "base/thread_pool.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

#include "base/check.h"
#include "base/cpu.h"

namespace rsr::base {
namespace {

// About 20 microseconds of polling before a thread sleeps: decoding starts a loop every few
// microseconds, and waking a sleeper costs tens of them.
constexpr int kSpins = 4000;

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

thread_local int this_thread = 0;

/// Waits until `value` differs from `old`: polls, then sleeps.
void wait_change(const std::atomic<uint32_t>& value, uint32_t old) {
  for (int i = 0; i < kSpins; ++i) {
    if (value.load(std::memory_order_acquire) != old) return;
    relax();
  }
  while (value.load(std::memory_order_acquire) == old) value.wait(old, std::memory_order_acquire);
}

/// A wish: where it cannot be had, the thread runs wherever the system puts it.
void pin_to(std::jthread& thread, int cpu) {
  cpu_set_t* set = CPU_ALLOC(cpu + 1);
  if (set == nullptr) return;
  const size_t bytes = CPU_ALLOC_SIZE(cpu + 1);
  CPU_ZERO_S(bytes, set);
  CPU_SET_S(static_cast<size_t>(cpu), bytes, set);
  ::pthread_setaffinity_np(thread.native_handle(), bytes, set);
  CPU_FREE(set);
}

}  // namespace

int pool_thread() {
  return this_thread;
}

Range part_of(int64_t count, int index, int parts) {
  const int64_t size = count / parts;
  const int64_t extra = count % parts;
  const int64_t begin = index * size + std::min<int64_t>(index, extra);
  return {begin, begin + size + (index < extra ? 1 : 0)};
}

struct ThreadPool::State {
  std::mutex callers;
  std::vector<std::jthread> workers;
  std::atomic<uint32_t> generation{0};  // counts loops; a change starts the workers
  std::atomic<uint32_t> running{0};     // workers that have not finished this loop
  std::atomic<bool> stop{false};
  const std::function<void(Range)>* body = nullptr;
  int64_t count = 0;
  int threads = 1;

  void run_part(int index) const {
    const Range range = part_of(count, index, threads);
    if (range.begin < range.end) (*body)(range);
  }

  void work(int index) {
    this_thread = index;
    uint32_t seen = 0;
    while (true) {
      wait_change(generation, seen);
      seen = generation.load(std::memory_order_acquire);
      if (stop.load(std::memory_order_acquire)) return;
      run_part(index);
      if (running.fetch_sub(1, std::memory_order_acq_rel) == 1) running.notify_one();
    }
  }
};

ThreadPool::ThreadPool(int threads, bool pin) : state_(std::make_unique<State>()) {
  RSR_CHECK_OP(threads, >=, 1);
  state_->threads = threads;
  const std::vector<int> cpus = pin ? allowed_cpus() : std::vector<int>();
  for (int i = 1; i < threads; ++i) {
    state_->workers.emplace_back([state = state_.get(), i] { state->work(i); });
    if (!cpus.empty()) pin_to(state_->workers.back(), cpus[static_cast<size_t>(i) % cpus.size()]);
  }
}

ThreadPool::~ThreadPool() {
  state_->stop.store(true, std::memory_order_release);
  state_->generation.fetch_add(1, std::memory_order_acq_rel);
  state_->generation.notify_all();
}

int ThreadPool::threads() const {
  return state_->threads;
}

void ThreadPool::parallel_for(int64_t count, const std::function<void(Range)>& body,
                              int64_t grain) {
  if (count <= 0) return;
  if (state_->threads == 1 || count < 2 * grain) return body({0, count});
  const std::lock_guard lock(state_->callers);
  state_->body = &body;
  state_->count = count;
  const auto workers = static_cast<uint32_t>(state_->threads - 1);
  state_->running.store(workers, std::memory_order_relaxed);
  state_->generation.fetch_add(1, std::memory_order_acq_rel);
  state_->generation.notify_all();
  state_->run_part(0);
  for (uint32_t left = workers; left != 0;) {
    left = state_->running.load(std::memory_order_acquire);
    if (left != 0) wait_change(state_->running, left);
  }
}

}  // namespace rsr::base
