// Which settings are worth timing for a shape, and which of them wins. No clocks here: `rsr tune`
// brings the times.
#pragma once

#include <cstdint>
#include <vector>

#include "linear/planner.h"
#include "linear/rsr_choice.h"
#include "linear/tuning.h"

namespace rsr::linear {

enum class Knob { prefetch, token_tile, gemm, tables };

/// A product to be tuned.
struct TuneShape {
  matrix::Format format = matrix::Format::t2;
  bool floats = false;
  int64_t rows = 1;
  int64_t cols = 1;
  int64_t batch = 1;
  int threads = 1;
};

/// The settings to time for one knob, the default first. The list has the same length and order for
/// every shape, so that times of several shapes can be put together; a setting that would run as
/// the default does here (or not at all) is equal to the first one, and need not be timed. For
/// `gemm` the first is never a gemm, and the second always; so for `tables`, where a tile is full.
std::vector<Tuning> trials(Knob knob, const KernelSet& kernels, const TuneShape& shape);

/// The trial with the least time over all conditions (the geometric mean of its ratios to the
/// first); the first unless that is at least 2% faster, for times of equal settings differ, too.
/// seconds[condition][trial]; 0: not timed, taken to be as fast as the first.
size_t choose_trial(const std::vector<std::vector<double>>& seconds);

/// Times of one batch, and the least batch from which a gemm pays: `fallback` unless a batch that
/// was timed contradicts it by 2%.
struct GemmTimes {
  int64_t batch = 0;
  double matvec_seconds = 0;
  double gemm_seconds = 0;
};
int64_t choose_gemm_batch(const std::vector<GemmTimes>& times, int64_t fallback);

/// Times of whole token tiles, and the gain over a gemm that they say: the geometric mean, with the
/// share of the tables taken out; `fallback` without any.
struct TablesTimes {
  int64_t rows_of_call = 0;
  double other_seconds = 0;
  double tables_seconds = 0;
};
double choose_tables_gain(const std::vector<TablesTimes>& times, double fallback);

/// What an index for batches gains over packed weights, as predicted and as measured, and the speed
/// of IndexTuning that they say: the geometric mean of the ratios; 1 without any.
struct IndexTimes {
  double predicted_gain = 0;
  double packed_seconds = 0;
  double index_seconds = 0;
};
double choose_index_speed(const std::vector<IndexTimes>& times);

/// Block heights to time for an index: what choose_block_rows() says, first, and its neighbours.
std::vector<int> rsr_trials(const RsrQuestion& question);

}  // namespace rsr::linear
