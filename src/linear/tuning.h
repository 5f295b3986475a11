// Numbers that decide how fast a product runs on a machine, never what it gives.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/cpu.h"
#include "kernels/matvec/matvec.h"
#include "matrix/format.h"
#include "rsr/linear.h"

namespace rsr::linear {

/// What products of one packed format use on one instruction set.
struct Tuning {
  kernels::Prefetch prefetch;
  int64_t gemm_batch = 9;  // vectors from which a gemm runs instead of a matvec, at least 2
  int token_tile = 0;      // widest token tile of a matvec; 0: the widest that the kernel takes
  // How many times as fast as a gemm gemm_tables is, with whole token tiles and many rows; 0: it
  // does not run.
  double tables_gain = 0;
};

bool operator==(const Tuning& a, const Tuning& b);

/// The choice without any measurement; complete, so that no file is needed.
Tuning default_tuning(matrix::Format format, base::Isa isa);

/// How many times as fast look-ups are as a matvec for each vector, for float inputs, with whole
/// token tiles and many rows; 0: there are none, or they lose.
double float_tables_gain(matrix::Format format, base::Isa isa);

/// The block height that was fastest for RSR's index of one shape.
struct RsrTuning {
  bool binary = false;
  RsrForm form = RsrForm::scatter;
  int64_t rows = 0;
  int64_t cols = 0;
  int k = 0;

  bool same_index(const RsrTuning& other) const {
    return binary == other.binary && form == other.form && rows == other.rows && cols == other.cols;
  }
};

/// How many times as fast an index for batches was, compared with packed weights, as the cost model
/// says.
struct IndexTuning {
  bool floats = false;  // inputs; else int8
  bool compiled = false;
  double speed = 1;
};

/// All of an instruction set.
struct TuningTable {
  explicit TuningTable(base::Isa isa);

  Tuning& of(matrix::Format format) { return formats[static_cast<size_t>(format)]; }
  const Tuning& of(matrix::Format format) const { return formats[static_cast<size_t>(format)]; }
  /// k for an index, where it was measured.
  std::optional<int> rsr_k(const RsrTuning& question) const;
  /// 1 where it was not measured.
  double index_speed(bool floats, bool compiled) const;
  void set_index_speed(const IndexTuning& line);

  std::array<Tuning, 4> formats;
  std::vector<RsrTuning> rsr;
  std::vector<IndexTuning> indexes;
  bool measured = false;  // read from the tune cache of this machine
};

const char* form_name(RsrForm form);
std::optional<RsrForm> form_from_name(std::string_view name);

}  // namespace rsr::linear
