#include "linear/tuning.h"

#include <algorithm>

namespace rsr::linear {
namespace {

using base::Isa;
using matrix::Format;

struct DefaultTuning {
  Format format;
  Isa isa;  // and those that include it, as far as no later line names them
  Tuning tuning;
};

// Prefetch: the distances that pure reading of memory uses as well (cli/read_bandwidth.cc).
// gemm, at 2560 x 2560 with one thread: with AVX-512 VNNI up to 8 vectors fit into one token tile
// of a matvec, at 8 both are equally fast (282 and 285 GMAC/s), beyond it decoding a panel once
// wins (317 against 280 at 16). The matvecs of the weaker sets take one vector at a time, so a gemm
// pays early: t2 with AVX2 310 against 375 us at 4 vectors, AVX-VNNI 289 against 320 (b1: 315 and
// not less at 4, 586 against 640 at 8), AVX-512 BW 217 against 236 at 3.
// Look-ups, GMAC/s at 2560 x 2560 with 128 vectors and one thread, against gemm: AVX2 182 (b1: 284)
// against 121, AVX-512 BW 284 (446) against 171, VNNI b1 446 against 341 and t2 284 against 341;
// tables_share() of 2,560 rows is taken out of these.
// With AMX decoding is all that few vectors cost: 329 to 408 GMAC/s against 226 to 279 at 4. At 3
// it would win from the cache, too, but lose from memory (1.15 against 0.85 ms, 4096 x 14336).
constexpr DefaultTuning kDefaults[] = {
    {Format::t5, Isa::reference, {{1024, 2048}, 9, 0}},
    {Format::t5, Isa::amx, {{1024, 2048}, 4, 0}},
    {Format::t2, Isa::reference, {{1024, 2048}, 9, 0}},
    {Format::t2, Isa::avx2, {{1024, 2048}, 3, 0, 1.58}},
    {Format::t2, Isa::avxvnni, {{1024, 2048}, 4, 0, 1.58}},
    {Format::t2, Isa::avx512bw, {{1024, 2048}, 3, 0, 1.75}},
    {Format::t2, Isa::avx512vnni, {{1024, 2048}, 9, 0}},
    {Format::t2, Isa::amx, {{1024, 2048}, 4, 0}},
    {Format::t3, Isa::reference, {{1024, 2048}, 9, 0}},
    {Format::b1, Isa::reference, {{1024, 2048}, 9, 0}},
    {Format::b1, Isa::avx2, {{1024, 2048}, 4, 0, 2.45}},
    {Format::b1, Isa::avxvnni, {{1024, 2048}, 6, 0, 2.45}},
    {Format::b1, Isa::avx512bw, {{1024, 2048}, 3, 0, 2.7}},
    {Format::b1, Isa::avx512vnni, {{1024, 2048}, 9, 0, 1.37}},
    {Format::b1, Isa::amx, {{1024, 2048}, 4, 0}},
};

struct FloatGain {
  Format format;
  Isa isa;  // and those that include it, as far as no later line names them
  double gain;
};

// GMAC/s at 2560 x 2560 with 128 vectors against those of a matvec (cost_rates.h), one thread.
constexpr FloatGain kFloatGains[] = {
    {Format::t2, Isa::avx2, 5},   {Format::t2, Isa::avx512bw, 5},
    {Format::t3, Isa::avx2, 100}, {Format::t3, Isa::avx512bw, 1.33},
    {Format::b1, Isa::avx2, 10},  {Format::b1, Isa::avx512bw, 1.27},
};

}  // namespace

bool operator==(const Tuning& a, const Tuning& b) {
  return a.prefetch.near == b.prefetch.near && a.prefetch.far == b.prefetch.far &&
         a.gemm_batch == b.gemm_batch && a.token_tile == b.token_tile &&
         a.tables_gain == b.tables_gain;
}

Tuning default_tuning(Format format, Isa isa) {
  Tuning found;
  for (const DefaultTuning& line : kDefaults) {
    if (line.format == format && base::isa_includes(isa, line.isa)) found = line.tuning;
  }
  return found;
}

double float_tables_gain(Format format, Isa isa) {
  double gain = 0;
  for (const FloatGain& line : kFloatGains) {
    if (line.format == format && base::isa_includes(isa, line.isa)) gain = line.gain;
  }
  return gain;
}

TuningTable::TuningTable(Isa isa) {
  for (const Format format : matrix::kAllFormats) of(format) = default_tuning(format, isa);
}

std::optional<int> TuningTable::rsr_k(const RsrTuning& question) const {
  const auto found = std::find_if(rsr.begin(), rsr.end(),
                                  [&](const RsrTuning& line) { return line.same_index(question); });
  if (found == rsr.end()) return std::nullopt;
  return found->k;
}

double TuningTable::index_speed(bool floats, bool compiled) const {
  for (const IndexTuning& line : indexes) {
    if (line.floats == floats && line.compiled == compiled) return line.speed;
  }
  return 1;
}

void TuningTable::set_index_speed(const IndexTuning& line) {
  std::erase_if(indexes, [&](const IndexTuning& old) {
    return old.floats == line.floats && old.compiled == line.compiled;
  });
  indexes.push_back(line);
}

const char* form_name(RsrForm form) {
  switch (form) {
    case RsrForm::scatter:
      return "scatter";
    case RsrForm::fold:
      return "fold";
    case RsrForm::gray:
      return "gray";
  }
  return "?";
}

std::optional<RsrForm> form_from_name(std::string_view name) {
  for (const RsrForm form : {RsrForm::scatter, RsrForm::fold, RsrForm::gray}) {
    if (name == form_name(form)) return form;
  }
  return std::nullopt;
}

}  // namespace rsr::linear
