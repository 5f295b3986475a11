// Threads that wait close by: a parallel loop over ranges costs about a microsecond to start.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

namespace rsr::base {

/// A half-open range of work items.
struct Range {
  int64_t begin = 0;
  int64_t end = 0;
};

/// Part `index` of `parts` of [0, count): contiguous, in order, sizes differing by at most one.
Range part_of(int64_t count, int index, int parts);

/// Which of the threads of its pool runs now, from 0 (the caller of parallel_for) on: for scratch
/// memory of a thread's own.
int pool_thread();

class ThreadPool {
 public:
  /// `threads` at least 1; the calling thread is one of them. `pin`: each thread that the pool
  /// starts stays on a core of its own, from the second one that this process may use on. The
  /// caller's thread is the caller's: it is left alone.
  explicit ThreadPool(int threads, bool pin = false);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const;

  /// Calls body(range) on every thread with its part of [0, count), and returns when all are done.
  /// Threads without a part do not call it. `body` must not throw and must not call the pool. Calls
  /// from several threads at once wait for each other. With fewer than 2 * `grain` items the
  /// calling thread does them all: starting the others would cost more than it brings.
  void parallel_for(int64_t count, const std::function<void(Range)>& body, int64_t grain = 1);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace rsr::base
