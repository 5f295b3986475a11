// The tokens that may come next, and the steps from their scores to one of them. None depends on
// the order in which they are given.
#pragma once

#include <cstdint>
#include <vector>

namespace rsr::engine {

struct Candidate {
  uint64_t weight;  // of base/token_weight.h, from weigh() on
  float score;      // logit after penalties
  int32_t id;
};
using Candidates = std::vector<Candidate>;

/// The best score, the lowest id among equals.
const Candidate& best_of(const Candidates& candidates);
/// The best k, the lower id first among equals; 0 keeps all.
void keep_top_k(Candidates* candidates, int64_t k);
/// Gives them weights, and drops those that weigh nothing.
void weigh(Candidates* candidates, float temperature);
/// As few of the likeliest as have this part of all weight, in units of 2^-64; 0 keeps all.
void keep_top_p(Candidates* candidates, uint64_t part);
void keep_weights_from(Candidates* candidates, uint64_t least);
/// The token on which a number, in units of 2^-64 of all weight, falls when weights lie in the
/// order of ids.
int32_t draw(Candidates* candidates, uint64_t number);

}  // namespace rsr::engine
