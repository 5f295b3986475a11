// An immutable array that knows who keeps it alive: itself, or somebody else (a mapped file).
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace rsr::base {

/// Copies share the elements.
template <class T>
class SharedSpan {
 public:
  SharedSpan() = default;
  explicit SharedSpan(std::vector<T> values) {
    auto owned = std::make_shared<const std::vector<T>>(std::move(values));
    values_ = *owned;
    keeper_ = std::move(owned);
  }
  /// Elements that stay where and as they are while `keeper` lives.
  SharedSpan(std::span<const T> values, std::shared_ptr<const void> keeper)
      : values_(values), keeper_(std::move(keeper)) {}

  const T* data() const { return values_.data(); }
  size_t size() const { return values_.size(); }
  bool empty() const { return values_.empty(); }
  const T& operator[](size_t i) const { return values_[i]; }
  std::span<const T> span() const { return values_; }

  /// The same elements in memory of their own.
  SharedSpan copied() const { return SharedSpan(std::vector<T>(values_.begin(), values_.end())); }

 private:
  std::span<const T> values_;
  std::shared_ptr<const void> keeper_;
};

}  // namespace rsr::base
