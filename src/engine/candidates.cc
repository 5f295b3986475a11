#include "engine/candidates.h"

#include <algorithm>
#include <array>
#include <bit>

#include "base/token_weight.h"

namespace rsr::engine {
namespace {

constexpr auto kBetter = [](const Candidate& a, const Candidate& b) {
  return a.score != b.score ? a.score > b.score : a.id < b.id;
};

/// Scores may differ where weights do not.
constexpr auto kLikelier = [](const Candidate& a, const Candidate& b) {
  return a.weight != b.weight ? a.weight > b.weight : a.id < b.id;
};

constexpr auto kLowerId = [](const Candidate& a, const Candidate& b) { return a.id < b.id; };

using Iterator = Candidates::iterator;

constexpr size_t kMostParts = 4096;

uint64_t weight_of(Iterator begin, Iterator end) {
  uint64_t sum = 0;
  for (Iterator at = begin; at != end; ++at) sum += at->weight;
  return sum;
}

/// As few as weigh `wanted` together, the first ones of the order, come first, up to the result;
/// the last of the order among them is the last. `coarse` numbers parts of the order from 0 on:
/// only the part in which the end lies is looked at closely.
template <class Coarse, class Order>
Iterator reach(Candidates* candidates, uint64_t wanted, const Coarse& coarse, const Order& order) {
  std::array<uint64_t, kMostParts> sums = {};
  for (const Candidate& c : *candidates) sums[coarse(c)] += c.weight;
  size_t part = 0;
  while (sums[part] < wanted) wanted -= sums[part++];
  auto begin = std::partition(candidates->begin(), candidates->end(),
                              [&](const Candidate& c) { return coarse(c) < part; });
  auto end = std::partition(begin, candidates->end(),
                            [&](const Candidate& c) { return coarse(c) == part; });
  while (end - begin > 1) {
    const Iterator middle = begin + (end - begin) / 2;
    std::nth_element(begin, middle, end, order);
    const uint64_t sum = weight_of(begin, middle);
    if (sum >= wanted) {
      end = middle;
    } else {
      wanted -= sum;
      begin = middle;
    }
  }
  return end;
}

}  // namespace

const Candidate& best_of(const Candidates& candidates) {
  return *std::min_element(candidates.begin(), candidates.end(), kBetter);
}

void keep_top_k(Candidates* candidates, int64_t k) {
  if (k == 0 || k >= static_cast<int64_t>(candidates->size())) return;
  std::nth_element(candidates->begin(), candidates->begin() + k, candidates->end(), kBetter);
  candidates->resize(static_cast<size_t>(k));
}

void weigh(Candidates* candidates, float temperature) {
  const double best = best_of(*candidates).score;
  for (Candidate& c : *candidates) c.weight = base::token_weight(c.score - best, temperature);
  std::erase_if(*candidates, [](const Candidate& c) { return c.weight == 0; });
}

/// Sorting would take 10 ms where a flat distribution of 128,256 tokens leaves thousands; this,
/// with everything else, 2.
void keep_top_p(Candidates* candidates, uint64_t part) {
  if (part == 0) return;
  const uint64_t all = weight_of(candidates->begin(), candidates->end());
  const auto powers_below = [](const Candidate& c) {
    return static_cast<size_t>(std::bit_width(base::kFullWeight) - std::bit_width(c.weight));
  };
  candidates->erase(reach(candidates, base::part_or_more_of(part, all), powers_below, kLikelier),
                    candidates->end());
}

void keep_weights_from(Candidates* candidates, uint64_t least) {
  std::erase_if(*candidates, [least](const Candidate& c) { return c.weight < least; });
}

int32_t draw(Candidates* candidates, uint64_t number) {
  const uint64_t before = base::part_of(number, weight_of(candidates->begin(), candidates->end()));
  // Of the 2^24 ids that a model may have.
  const auto some_ids = [](const Candidate& c) { return static_cast<size_t>(c.id) / kMostParts; };
  return (reach(candidates, before + 1, some_ids, kLowerId) - 1)->id;
}

}  // namespace rsr::engine
