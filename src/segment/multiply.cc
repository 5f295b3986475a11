#include "segment/multiply.h"

#include <algorithm>

#include "base/check.h"
#include "segment/cell_forms.h"

namespace rsr::segment {
namespace {

const char* name_of(Form form) {
  switch (form) {
    case Form::scatter:
      return "scatter";
    case Form::fold:
      return "fold";
    case Form::gray:
      break;
  }
  return "gray";
}

int64_t table_size(Form form, const ColumnGroups& groups) {
  return form == Form::fold ? pattern_count(groups.alphabet, groups.k) : 0;
}

template <class X, class Y>
void multiply_part(Form form, const Product<X, Y>& product, const Part& part) noexcept {
  const ColumnGroups& groups = *product.groups;
  const int64_t tiles = groups.tile_count();
  Scratch<Sum<X>> scratch;
  scratch.table = static_cast<Sum<X>*>(product.scratch);
  scratch.running = scratch.table + table_size(form, groups);
  for (int64_t block = part.blocks.begin; block < part.blocks.end; ++block) {
    Sum<X> acc[kMaxBlockRows] = {};
    for (int64_t tile = part.tiles.begin; tile < part.tiles.end; ++tile) {
      const X* x = product.x + tile * groups.tile_cols;
      add_cell(form, groups, block * tiles + tile, x, scratch, acc);
    }
    // A short last block has no pattern with digits below its rows, and acc is longer than y: only
    // the rows that exist are written.
    Y* y = product.y + block * groups.k;
    const int rows = groups.block_rows(block);
    if (part.add) {
      for (int r = 0; r < rows; ++r) y[r] = static_cast<Y>(static_cast<Sum<X>>(y[r]) + acc[r]);
    } else {
      for (int r = 0; r < rows; ++r) y[r] = static_cast<Y>(acc[r]);
    }
  }
}

}  // namespace

int max_k(Form form, Alphabet alphabet) {
  if (form == Form::scatter) return kMaxBlockRows;
  return alphabet == Alphabet::binary ? kMaxFoldBinary : kMaxFoldTernary;
}

Status check_form(Form form, Alphabet alphabet, int k) {
  const int limit = max_k(form, alphabet);
  if (k >= 1 && k <= limit) return {};
  const char* kind = alphabet == Alphabet::binary ? "binary" : "ternary";
  return base::error(ErrorCode::invalid_argument, "k must be 1 to ", limit, " for the form ",
                     name_of(form), " of a ", kind, " matrix, and is ", k);
}

Order required_order(Form form) {
  return form == Form::gray ? Order::gray_rank : Order::pattern_value;
}

int64_t scratch_bytes(Form form, const ColumnGroups& groups) {
  return (table_size(form, groups) + std::min(groups.tile_cols, groups.cols)) *
         static_cast<int64_t>(sizeof(double));
}

Part whole(const ColumnGroups& groups) {
  return {{0, groups.block_count()}, {0, groups.tile_count()}, false};
}

void multiply(Form form, const Product<int8_t, int32_t>& product, const Part& part) noexcept {
  multiply_part(form, product, part);
}

void multiply(Form form, const Product<float, float>& product, const Part& part) noexcept {
  multiply_part(form, product, part);
}

}  // namespace rsr::segment
