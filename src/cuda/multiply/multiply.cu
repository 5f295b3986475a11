// Which kernels a product takes.
//
// Counted for a device with some 130 multiprocessors, of which each takes about 28 bytes a clock
// from L2 and 0.6 matrix instructions: a block of 16 R rows and V vectors (N eights) reads 32 V +
// 128 R bytes for R N instructions. Large blocks read least, but there must be enough of them.
#include "base/check.h"
#include "cuda/multiply/results.cuh"
#include "cuda/multiply/ways.h"

namespace rsr::cuda::RSR_SIMT {
namespace {

/// The matrices with or without group scales.
Multiply part_of(const Multiply& p, bool grouped) {
  Multiply part = p;
  part.count = 0;
  for (int i = 0; i < p.count; ++i) {
    if ((p.matrices[i].group_lines > 0) == grouped) part.matrices[part.count++] = p.matrices[i];
  }
  return part;
}

/// More rows a block cost fewer instructions and reads of vectors, where they leave some blocks for
/// every multiprocessor, or where vectors cost more than weights anyway. Blocks of t5 fill a table.
MultiplyWay choose_few(const Multiply& p) {
  const int enough = p.format == matrix::Format::t5 ? 264 : 528;
  return p.batch > 16 || blocks_of(p, 1) >= enough ? MultiplyWay::rows32 : MultiplyWay::rows16;
}

MultiplyWay choose(const Multiply& p) {
  const auto blocks = [&p](int rows, int vectors) {
    return int64_t{blocks_of(p, rows / kTileRows)} * simt::ceil_div(p.batch, vectors);
  };
  if (p.batch <= 32) return choose_few(p);
  if (p.batch > 64 && blocks(256, 128) >= 528) return MultiplyWay::block256x128;
  if (p.batch > 64 && blocks(128, 128) >= 132) return MultiplyWay::block128x128;
  if (blocks(128, 64) >= 100) return MultiplyWay::block128x64;
  if (blocks(64, 64) >= 132) return MultiplyWay::block64x64;
  return choose_few(p);
}

Status multiply_plain(int device, void* stream, const Multiply& p) {
  const MultiplyWay way = p.way == MultiplyWay::chosen ? choose(p) : p.way;
  if (way == MultiplyWay::rows16) return multiply_few(device, stream, p, 1);
  if (way == MultiplyWay::rows32) return multiply_few(device, stream, p, 2);
  return multiply_many(device, stream, p, way);
}

}  // namespace

Status multiply(int device, void* stream, const Multiply& p) {
  RSR_CHECK(p.format != matrix::Format::t3 && p.count >= 1 && p.count <= kMostMatrices);
  RSR_CHECK(p.x_stride % 16 == 0);
  if (p.batch == 0) return {};
  if (p.gated) {
    RSR_CHECK(can_gate(p) && p.matrices[0].y != nullptr);
    return multiply_gated(device, stream, p);
  }
  const Multiply grouped = part_of(p, true);
  if (grouped.count > 0) {
    RSR_CHECK(p.format != matrix::Format::t5);  // nor do groups have integers as results
    for (int i = 0; i < grouped.count; ++i) RSR_CHECK(grouped.matrices[i].y != nullptr);
    RSR_RETURN_IF_ERROR(multiply_grouped(device, stream, grouped));
  }
  const Multiply plain = part_of(p, false);
  return plain.count > 0 ? multiply_plain(device, stream, plain) : Status();
}

}  // namespace rsr::cuda::RSR_SIMT
