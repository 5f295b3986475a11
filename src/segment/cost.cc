#include "segment/cost.h"

#include <algorithm>
#include <cmath>

#include "segment/cell_forms.h"
#include "segment/lane_groups.h"

namespace rsr::segment {
namespace {

// Cycles per operation, fitted to products with 2560 x 2560 (one thread of a 3 GHz server CPU,
// index in cache, k 4 to 12 binary and 2 to 7 ternary). A column costs two loads, an addition and,
// with running sums, a store; a group its pattern, its end and, summed directly, a mispredicted
// loop end.
constexpr double kColumnDirect = 1.0;
constexpr double kColumnRunning = 1.3;
constexpr double kGroupDirect = 20;
constexpr double kGroupRunning = 3;
constexpr double kLane = 0.5;
constexpr double kFoldEntry = 0.8;
constexpr double kGrayRow = 5;
constexpr double kMispredicted = 15;
constexpr double kByte = 0.2;

// What lanes reach in wide random matrices, with a third (ternary) or half (binary) of zeros: the
// share of slots that are used, by k, and the columns that a window moves on by at most.
constexpr double kLaneFillBinary[] = {1.0, 0.93, 0.86, 0.86, 0.79, 0.63};
constexpr double kLaneFillTernary[] = {0.9, 0.95, 0.75, 0.77};
constexpr double kWindowStep = 245;

// A gathered column, with the 5% that short groups waste; a slice with its mispredicted loop end.
constexpr double kColumnGathered = 0.65;
constexpr double kSlice = 20;

double base_of(Alphabet alphabet) {
  return alphabet == Alphabet::binary ? 2 : 3;
}

double patterns_of(Alphabet alphabet, int k) {
  return std::pow(base_of(alphabet), k);
}

double scatter_additions(Alphabet alphabet, int k, double groups) {
  double passes = groups;
  if (alphabet == Alphabet::ternary) {
    const double all = patterns_of(alphabet, k);
    passes += groups * (all - std::pow(2, k)) / (all - 1);
  }
  return scatter_lanes(k) * passes;
}

double fold_additions(Alphabet alphabet, int k) {
  return 2 * patterns_of(alphabet, k) - (alphabet == Alphabet::binary ? 3 : 4);
}

// Rows that change at a boundary when only `groups` of the patterns occur.
double rows_per_boundary(Alphabet alphabet, int k, double groups) {
  const double gap = (patterns_of(alphabet, k) - 1) / std::max(groups, 1.0);
  return std::min<double>(k, 1 + 0.5 * std::log(gap) / std::log(base_of(alphabet)));
}

double gray_additions(Alphabet alphabet, int k, double groups) {
  if (groups == 0) return 0;
  const double closing = alphabet == Alphabet::binary ? 1 : k;
  return (groups - 1) * rows_per_boundary(alphabet, k, groups) + closing;
}

bool summed_directly(double columns, double groups) {
  return columns > kDirectAbove * groups;
}

double cell_cycles(Form form, Alphabet alphabet, int k, double columns, double groups) {
  const bool direct = summed_directly(columns, groups);
  double cycles = columns * (direct ? kColumnDirect : kColumnRunning) +
                  groups * (direct ? kGroupDirect : kGroupRunning) +
                  kByte * (2 * columns + 6 * groups + 16);
  switch (form) {
    case Form::scatter:
      return cycles + kLane * scatter_additions(alphabet, k, groups);
    case Form::fold:
      return cycles + kFoldEntry * fold_additions(alphabet, k);
    case Form::gray:
      break;
  }
  const double irregular = std::min(1.0, rows_per_boundary(alphabet, k, groups) - 1);
  return cycles + kGrayRow * gray_additions(alphabet, k, groups) +
         kMispredicted * irregular * groups;
}

}  // namespace

int scatter_lanes(int k) {
  return (k + 3) / 4 * 4;
}

double sum_additions(Form form, int64_t columns, int64_t groups) {
  if (groups == 0) return 0;
  const auto c = static_cast<double>(columns);
  const auto g = static_cast<double>(groups);
  if (summed_directly(c, g)) return form == Form::gray ? c : c - g;
  return form == Form::gray ? c + g + 3 : c + 2 * g + 3;
}

double cell_additions(Form form, Alphabet alphabet, int k, int64_t columns, int64_t groups) {
  const double sums = sum_additions(form, columns, groups) + k;
  const auto g = static_cast<double>(groups);
  if (form == Form::scatter) return sums + scatter_additions(alphabet, k, g);
  if (form == Form::fold) return sums + fold_additions(alphabet, k);
  return sums + gray_additions(alphabet, k, g);
}

int64_t cell_bytes(int64_t columns, int64_t groups) {
  return 2 * columns + 6 * groups + 16;
}

double expected_groups(Alphabet alphabet, int k, int64_t columns) {
  const double patterns = patterns_of(alphabet, k);
  const double missing = std::exp(static_cast<double>(columns) * std::log1p(-1 / patterns));
  return (patterns - 1) * (1 - missing);
}

double estimate_cycles(Form form, Alphabet alphabet, int k, int64_t rows, int64_t cols) {
  const int64_t tile = std::min(cols, kMaxTileCols);
  const double used = static_cast<double>(tile) * (1 - 1 / patterns_of(alphabet, k));
  const double cycles = cell_cycles(form, alphabet, k, used, expected_groups(alphabet, k, tile));
  const int64_t blocks = (rows + k - 1) / k;
  return cycles * static_cast<double>(blocks) *
         (static_cast<double>(cols) / static_cast<double>(tile));
}

int choose_k(Form form, Alphabet alphabet, int64_t rows, int64_t cols) {
  const int limit = static_cast<int>(std::clamp<int64_t>(rows, 1, max_k(form, alphabet)));
  int best = 1;
  for (int k = 2; k <= limit; ++k) {
    if (estimate_cycles(form, alphabet, k, rows, cols) <
        estimate_cycles(form, alphabet, best, rows, cols)) {
      best = k;
    }
  }
  return best;
}

double lane_bits(Alphabet alphabet, int k, int64_t cols) {
  const auto width = static_cast<double>(std::min(cols, kMaxTileCols));
  const double slots = lane_lines(alphabet, k) * kLaneLineBytes;
  const double used = 1 - 1 / patterns_of(alphabet, k);
  const double fill = (alphabet == Alphabet::binary ? kLaneFillBinary : kLaneFillTernary)[k - 1];
  const double rounds = std::ceil(width / std::min(kWindowStep, fill * slots / used));
  return 8 * rounds * (slots + 2) / (width * k);
}

int choose_lane_k(Alphabet alphabet, int64_t rows, int64_t cols) {
  const int limit = static_cast<int>(std::clamp<int64_t>(rows, 1, max_lane_k(alphabet)));
  int best = 1;
  for (int k = 2; k <= limit; ++k) {
    if (lane_bits(alphabet, k, cols) < lane_bits(alphabet, best, cols)) best = k;
  }
  return best;
}

double estimate_slice_cycles(Form form, Alphabet alphabet, int k, int64_t rows, int64_t cols) {
  const int64_t tile = std::min(cols, kMaxTileCols);
  const double used = static_cast<double>(tile) * (1 - 1 / patterns_of(alphabet, k));
  const double groups = expected_groups(alphabet, k, tile);
  const double last = form == Form::scatter ? kLane * scatter_additions(alphabet, k, groups)
                                            : kFoldEntry * fold_additions(alphabet, k) + groups;
  const double cell = kColumnGathered * used + kSlice * std::ceil(groups / 16) + last;
  const int64_t blocks = (rows + k - 1) / k;
  return cell * static_cast<double>(blocks) *
         (static_cast<double>(cols) / static_cast<double>(tile));
}

int choose_slice_k(Form form, Alphabet alphabet, int64_t rows, int64_t cols) {
  const int limit = static_cast<int>(std::clamp<int64_t>(rows, 1, max_k(Form::fold, alphabet)));
  int best = 1;
  for (int k = 2; k <= limit; ++k) {
    if (estimate_slice_cycles(form, alphabet, k, rows, cols) <
        estimate_slice_cycles(form, alphabet, best, rows, cols)) {
      best = k;
    }
  }
  return best;
}

}  // namespace rsr::segment
