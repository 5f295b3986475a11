// Inside the cost model: how fast kernels were on one server processor (cost_model.cc says which).
#pragma once

#include <array>

#include "base/cpu.h"
#include "linear/cost_model.h"
#include "matrix/format.h"

namespace rsr::linear {

struct MatvecRate {
  bool floats;
  matrix::Format format;
  base::Isa isa;                // and those that include it, as far as no later line names them
  std::array<double, 4> gmacs;  // with token tiles of 1, 2, 4, 8
};

// GMAC/s of one thread, weights in the cache. The reference kernels: 0.1 to 3, taken as 1 (0.5
// where five or three trits are taken apart); they are only there to lose.
constexpr MatvecRate kMatvecRates[] = {
    {false, matrix::Format::t5, base::Isa::reference, {0.5, 0.5, 0.5, 0.5}},
    {false, matrix::Format::t5, base::Isa::avx512vbmi, {120, 190, 245, 285}},
    {false, matrix::Format::t2, base::Isa::reference, {1, 1, 1, 1}},
    {false, matrix::Format::t2, base::Isa::avx2, {84, 84, 84, 84}},
    {false, matrix::Format::t2, base::Isa::avxvnni, {82, 82, 82, 82}},
    {false, matrix::Format::t2, base::Isa::avx512bw, {112, 112, 112, 112}},
    {false, matrix::Format::t2, base::Isa::avx512vnni, {185, 230, 290, 300}},
    {false, matrix::Format::b1, base::Isa::reference, {1, 1, 1, 1}},
    {false, matrix::Format::b1, base::Isa::avx2, {83, 83, 83, 83}},
    {false, matrix::Format::b1, base::Isa::avxvnni, {99, 99, 99, 99}},
    {false, matrix::Format::b1, base::Isa::avx512bw, {107, 107, 107, 107}},
    {false, matrix::Format::b1, base::Isa::avx512vnni, {178, 235, 282, 315}},
    {true, matrix::Format::t2, base::Isa::reference, {1, 1, 1, 1}},
    {true, matrix::Format::t2, base::Isa::avx2, {16, 16, 16, 16}},
    {true, matrix::Format::t2, base::Isa::avx512bw, {21, 21, 21, 21}},
    {true, matrix::Format::t3, base::Isa::reference, {0.5, 0.5, 0.5, 0.5}},
    {true, matrix::Format::t3, base::Isa::avx512bw, {84, 84, 84, 84}},
    {true, matrix::Format::b1, base::Isa::reference, {1, 1, 1, 1}},
    {true, matrix::Format::b1, base::Isa::avx2, {10, 10, 10, 10}},
    {true, matrix::Format::b1, base::Isa::avx512bw, {130, 130, 130, 130}},
};

// Slots of RSR's lanes that the int8 kernel looks up, one thread, index in the cache.
constexpr double kLaneSlotsPerSecond = 27e9;

struct GemmRate {
  base::Isa isa;                // as above
  std::array<double, 6> gmacs;  // with 2, 4, 8, 16, 32, 64 vectors
};

// GMAC/s of one thread of the gemm kernels, whatever the format. With two vectors decoding a panel
// is nearly all that counts; those rates are taken from the others.
constexpr GemmRate kGemmRates[] = {
    {base::Isa::reference, {1, 1, 1, 1, 1, 1}},
    {base::Isa::avx2, {75, 108, 125, 126, 136, 138}},
    {base::Isa::avxvnni, {75, 105, 107, 125, 134, 135}},
    {base::Isa::avx512bw, {90, 145, 168, 186, 188, 192}},
    {base::Isa::avx512vnni, {70, 141, 282, 317, 334, 400}},
    {base::Isa::amx, {185, 370, 640, 1000, 1370, 1420}},
};

struct GrayRate {
  base::Isa isa;  // as above
  KernelKind kind;
  bool floats;
  double per_weight;    // nanoseconds for a vector
  double per_addition;  // the same
};

// Fitted to 2560 x 2560, 128 vectors, one thread: binary, and ternary with 33, 70 and 90% zeros. Of
// compiled AVX-512 code that comes from memory, as a model's does; out of the cache it takes 13%
// less.
constexpr GrayRate kGrayRates[] = {
    {base::Isa::avx2, KernelKind::gray, false, 0.0, 0.0187},
    {base::Isa::avx2, KernelKind::compiled, false, 0.0003, 0.0157},
    {base::Isa::avx512bw, KernelKind::gray, false, 0.0006, 0.0095},
    {base::Isa::avx512bw, KernelKind::compiled, false, 0.0001, 0.0093},
    {base::Isa::avx2, KernelKind::gray, true, 0.0, 0.0452},
    {base::Isa::avx2, KernelKind::compiled, true, 0.0011, 0.0300},
    {base::Isa::avx512bw, KernelKind::gray, true, 0.0, 0.0287},
    {base::Isa::avx512bw, KernelKind::compiled, true, 0.0, 0.0222},
};

}  // namespace rsr::linear
