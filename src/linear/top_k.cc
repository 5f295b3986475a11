// The best rows of a product, without writing all of it.
#include <algorithm>
#include <mutex>
#include <vector>

#include "base/check.h"
#include "linear/linear.h"
#include "linear/packed_product.h"

namespace rsr {
namespace {

using base::error;

/// Better matches first: larger scores, then lower rows.
bool better(const Match& a, const Match& b) {
  return a.score != b.score ? a.score > b.score : a.row < b.row;
}

/// The best `limit` matches of those seen: a heap with the worst on top.
class Best {
 public:
  explicit Best(size_t limit) : limit_(limit) { heap_.reserve(limit); }

  void add(const Match& match) {
    if (heap_.size() == limit_) {
      if (!better(match, heap_.front())) return;
      std::pop_heap(heap_.begin(), heap_.end(), better);
      heap_.pop_back();
    }
    heap_.push_back(match);
    std::push_heap(heap_.begin(), heap_.end(), better);
  }
  void add(const Best& other) {
    for (const Match& match : other.heap_) add(match);
  }
  void write(std::span<Match> out) {
    std::sort_heap(heap_.begin(), heap_.end(), better);
    std::copy(heap_.begin(), heap_.end(), out.begin());
  }

 private:
  size_t limit_;
  std::vector<Match> heap_;
};

/// Checks what both kinds of query have in common.
Status check(const Weight& weight, size_t x_size, size_t matches) {
  if (static_cast<int64_t>(x_size) != weight.cols()) {
    return error(ErrorCode::invalid_argument, "x: ", x_size, " elements, the matrix has ",
                 weight.cols(), " columns");
  }
  if (static_cast<int64_t>(matches) > weight.rows()) {
    return error(ErrorCode::invalid_argument, "matches: ", matches, " wanted, the matrix has ",
                 weight.rows(), " rows");
  }
  return {};
}

/// Collects what several threads find.
class Collector {
 public:
  explicit Collector(size_t limit) : best_(limit), limit_(limit) {}

  void receive(base::Range rows, const float* scores) {
    Best some(limit_);
    for (int64_t r = rows.begin; r < rows.end; ++r) some.add({r, scores[r - rows.begin]});
    const std::lock_guard lock(mutex_);
    best_.add(some);
  }
  void write(std::span<Match> out) { best_.write(out); }

 private:
  std::mutex mutex_;
  Best best_;
  size_t limit_;
};

/// RSR writes all scores first; they come through the public product.
Status top_k_rsr(const Context& context, const Weight& weight, std::span<const float> x,
                 std::span<Match> matches) {
  std::vector<float> y(static_cast<size_t>(weight.rows()));
  RSR_RETURN_IF_ERROR(multiply(context, weight, x, y));
  Collector all(matches.size());
  all.receive({0, weight.rows()}, y.data());
  all.write(matches);
  return {};
}

template <class X, class Scan>
Status search(const Context& context, const Weight& weight, std::span<const X> x,
              std::span<Match> matches, const Scan& scan) {
  RSR_RETURN_IF_ERROR(check(weight, x.size(), matches.size()));
  if (matches.empty()) return {};
  const auto* packed = std::get_if<matrix::Packed>(&weight.impl().packed);
  if (packed == nullptr) {
    return top_k_rsr(context, weight, std::vector<float>(x.begin(), x.end()), matches);
  }
  const std::lock_guard lock(context.impl().mutex);
  Collector all(matches.size());
  scan(linear::PackedProduct{packed, &weight.impl().scales, nullptr, nullptr},
       [&](base::Range rows, const float* scores) { all.receive(rows, scores); });
  all.write(matches);
  return {};
}

}  // namespace

Status top_k(const Context& context, const Weight& weight, std::span<const int8_t> x,
             std::span<Match> matches) {
  const int64_t cols = weight.cols();
  return search(context, weight, x, matches, [&](const auto& product, const auto& receive) {
    linear::for_each_score(context.impl(), product, {x.data(), cols, cols, cols, 1, nullptr},
                           receive);
  });
}

Status top_k(const Context& context, const Weight& weight, std::span<const float> x,
             std::span<Match> matches) {
  RSR_RETURN_IF_ERROR(check(weight, x.size(), matches.size()));
  RSR_RETURN_IF_ERROR(linear::check_finite(x, weight.cols()));
  return search(context, weight, x, matches, [&](const auto& product, const auto& receive) {
    linear::for_each_score(context.impl(), product, x.data(), receive);
  });
}

}  // namespace rsr
