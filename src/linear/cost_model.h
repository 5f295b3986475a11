// How long a product should take, from its bytes and its multiply-adds: for choosing between ways,
// not for promising times. It needs no measurement of the machine it runs on.
#pragma once

#include <cstdint>

#include "base/cpu.h"
#include "matrix/format.h"
#include "rsr/linear.h"

namespace rsr::linear {

struct BatchShape;
struct KernelSet;

/// gray and compiled: an index beside the packed weights, as places or as machine code.
enum class KernelKind { matvec, gemm, tables, rsr, gray, compiled };

struct CostQuestion {
  KernelKind kind = KernelKind::matvec;
  matrix::Format format = matrix::Format::t2;  // of matvec and gemm
  bool floats = false;                         // inputs; else int8
  bool binary = false;                         // for rsr: 0 and 1; else -1, 0, 1
  RsrForm form = RsrForm::scatter;             // for rsr, as k
  int k = 0;
  Residency residency = Residency::memory;
  base::Isa isa = base::Isa::reference;
  int64_t rows = 1;
  int64_t cols = 1;
  int64_t batch = 1;
  int threads = 1;
  double tables_gain = 0;  // for tables: Tuning's
  int token_tile = 1;      // for tables, gray, compiled
  double additions = 0;    // for gray and compiled: of one vector
  double speed = 1;        // for gray and compiled: IndexTuning's
};

struct Cost {
  int64_t bytes = 0;        // of packed weights or index, read once
  double operations = 0;    // multiply-adds; for tables and rsr additions
  int threads = 1;          // that have work
  double read_seconds = 0;  // alone; 0 from a cache
  double work_seconds = 0;  // alone
  double seconds = 0;       // of the product: the longer of both, and what surrounds them
};

Cost predict(const CostQuestion& question);

/// Multiply-adds per second of one thread with weights in its cache; for all but rsr.
double assumed_rate(const CostQuestion& question);

/// The same of the kernel that packed weights run for a batch of int8 or float vectors; 0 where
/// they have none and are repacked.
double assumed_rate(const KernelSet& kernels, matrix::Format format, const BatchShape& shape,
                    bool floats);

/// Bytes of an index (gray or compiled), about: 2.1 to 2.4 and 7.1 to 8.1 for an addition.
double gray_bytes(const CostQuestion& question);

/// Threads that a product is split over, of those that there are.
int threads_used(const CostQuestion& question);

}  // namespace rsr::linear
