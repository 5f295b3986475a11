#include "segment/lane_forms.h"

#include "segment/cell_forms.h"

namespace rsr::segment {
namespace {

constexpr int kChains = 8;

template <class Value>
Value add_chains(Value* chain) noexcept {
  for (int half = kChains / 2; half > 0; half /= 2) {
    for (int c = 0; c < half; ++c) chain[c] += chain[c + half];
  }
  return chain[0];
}

template <class Value>
void fold_lanes(Alphabet alphabet, int k, Value* table, Value* rows) noexcept {
  int64_t size = pattern_count(alphabet, k);
  for (int r = k - 1; r >= 0; --r) {
    rows[r] = alphabet == Alphabet::binary ? fold_halves(table, size /= 2, Value{})
                                           : fold_thirds(table, size /= 3, Value{});
  }
}

}  // namespace

LaneForm::LaneForm(RsrForm form, Alphabet alphabet, int k)
    : form_(form), alphabet_(alphabet), k_(k), lanes_(lane_lines(alphabet, k) * kLanesOfLine) {
  for (int lane = 0; lane < lanes_; ++lane) {
    const int code = lane_code(alphabet, k, lane);
    codes_[lane] = static_cast<uint8_t>(code);
    for (int r = 0; r < k; ++r) {
      const int digit = code_digit(alphabet, code, r);
      plus_[r][lane] = digit > 0 ? ~0u : 0;
      minus_[r][lane] = digit < 0 ? ~0u : 0;
      digits_[r][lane] = digit;
    }
  }
}

void LaneForm::rows(const uint32_t* sums, uint32_t* rows) const noexcept {
  if (form_ == RsrForm::fold) {
    uint32_t table[81] = {};
    for (int lane = 0; lane < lanes_; ++lane) table[codes_[lane]] += sums[lane];
    return fold_lanes(alphabet_, k_, table, rows);
  }
  for (int r = 0; r < k_; ++r) {
    uint32_t chain[kChains] = {};
    for (int lane = 0; lane < lanes_; lane += kChains) {
      for (int c = 0; c < kChains; ++c) {
        const uint32_t sum = sums[lane + c];
        chain[c] += (sum & plus_[r][lane + c]) - (sum & minus_[r][lane + c]);
      }
    }
    rows[r] = add_chains(chain);
  }
}

void LaneForm::rows(const double* sums, double* rows) const noexcept {
  if (form_ == RsrForm::fold) {
    double table[81] = {};
    for (int lane = 0; lane < lanes_; ++lane) table[codes_[lane]] += sums[lane];
    return fold_lanes(alphabet_, k_, table, rows);
  }
  for (int r = 0; r < k_; ++r) {
    double chain[kChains] = {};
    for (int lane = 0; lane < lanes_; lane += kChains) {
      for (int c = 0; c < kChains; ++c) chain[c] += digits_[r][lane + c] * sums[lane + c];
    }
    rows[r] = add_chains(chain);
  }
}

}  // namespace rsr::segment
