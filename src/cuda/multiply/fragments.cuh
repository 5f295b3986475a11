// Packed lines as operands of matrix instructions.
//
// A warp takes four lines of a tile at a time. With g = lane / 4 and t = lane % 4, a lane holds the
// dwords of rows 2g and 2g + 1 of line t: eight bytes, and the warp reads 256 bytes in a row. Row
// 2g is row g of the instruction's operand and row 2g + 1 its row g + 8. A mask leaves four
// consecutive columns in the bytes of a dword, which is what an instruction wants of a lane; its
// other half of k are four more columns of the same line. Which columns meet in one instruction
// does not matter, as long as the vectors come in the same order: 16 bytes of line t's columns, of
// vector g.
#pragma once

#include "cuda/multiply/multiply.h"
#include "cuda/simt.h"

namespace rsr::cuda::RSR_SIMT {
namespace {

inline constexpr int kTileRows = matrix::kTileRows;
inline constexpr int kLineBytes = matrix::kLineBytes;
inline constexpr int kStepLines = 4;  // lines that a warp takes at a time
inline constexpr int kVectors = 8;    // of one instruction

/// A lane's place in the operands of an instruction.
struct LanePlace {
  int g;
  int t;
};
RSR_DEVICE LanePlace lane_place() {
  const auto lane = static_cast<unsigned>(simt::lane());
  return {static_cast<int>(lane / 4U), static_cast<int>(lane % 4U)};
}

/// Two rows of a line, ready for masks. For t5: the quads as a line of t2, and the four fifths.
struct Codes {
  uint32_t rows[2] = {};
  uint32_t fifths[2] = {};
};

// A format: the bits of a code, the columns of a line and of four, its parts of 16 columns (each
// meets 16 bytes of a vector), the first column of a part, and how a line becomes codes.

struct T2 {
  static constexpr int kBits = 2;
  static constexpr int kLineCols = 16;
  static constexpr int kStepCols = kStepLines * kLineCols;
  static constexpr int kParts = 1;
  static constexpr bool kFifths = false;
  struct Table {};
  RSR_DEVICE static int column(int line, int /*part*/) { return line * kLineCols; }
  RSR_DEVICE static void fill(Table& /*table*/) {}
  RSR_DEVICE static Codes decode(const Table& /*table*/, simt::Words2 line) {
    return {{line.w[0], line.w[1]}, {}};
  }
};

struct B1 {
  static constexpr int kBits = 1;
  static constexpr int kLineCols = 32;
  static constexpr int kStepCols = kStepLines * kLineCols;
  static constexpr int kParts = 2;
  static constexpr bool kFifths = false;
  struct Table {};
  RSR_DEVICE static int column(int line, int part) { return line * kLineCols + 16 * part; }
  RSR_DEVICE static void fill(Table& /*table*/) {}
  RSR_DEVICE static Codes decode(const Table& /*table*/, simt::Words2 line) {
    return {{line.w[0], line.w[1]}, {}};
  }
};

/// A step is a super-block. A byte is looked up in a table in shared memory, of which every bank
/// has a copy, so that no two lanes collide. Two kinds:
///   narrow  32 KB, for kernels that need shared memory for more.
///   wide    64 KB: rows of 256 bytes, so that one permutation makes an address; a second copy that
///           is moved up by a byte, so that one sum joins two entries. With the masks 14 operations
///           and 4 reads for the 20 weights of a dword.
/// The number of a wide row is 255 - byte, counted from the start of all shared memory and not of
/// the table: no base needs to be added. The 13 bytes that mean nothing are those whose rows may
/// lie before the table; they read whatever is there.
template <bool wide>
struct T5 {
  static constexpr int kBits = 2;
  static constexpr int kLineCols = 20;
  static constexpr int kStepCols = kStepLines * kLineCols;
  static constexpr int kParts = 1;
  static constexpr bool kFifths = true;
  static constexpr int kRowWords = wide ? 2 * simt::kWarp : simt::kWarp;
  static constexpr uint32_t kMeanings = 243;  // bytes below mean something
  struct alignas(16) Table {
    uint32_t entries[256][kRowWords];
  };

  RSR_DEVICE static int column(int line, int /*part*/) {
    return line / kStepLines * kStepCols + line % kStepLines * 16;
  }
  /// First column of the fifths of a line, of a tile that has `lines`.
  RSR_DEVICE static int fifths_column(int line, int lines) {
    const int left = lines - line / kStepLines * kStepLines;
    const int quads = left < 0 ? 0 : left < kStepLines ? left : kStepLines;  // lines of the block
    return line / kStepLines * kStepCols + 16 * quads + line % kStepLines * 4;
  }

  /// What a byte means: its quad as a byte of t2, and 16 bits higher its fifth.
  RSR_DEVICE static uint32_t meaning(uint32_t byte) {
    const uint32_t low = byte & 63U;
    const bool escaped = byte >= matrix::kT5Escape;
    const uint32_t fifth = escaped ? low / 17U : byte >> 6;
    const uint32_t quad = escaped ? matrix::kT5EscapedFrom + low % 17U : low;
    return quad % 3U | quad / 3U % 3U << 2 | quad / 9U % 3U << 4 | quad / 27U << 6 | fifth << 16;
  }

  /// Where a byte's row lies in the table.
  RSR_DEVICE static uint32_t row_of(const Table& table, uint32_t byte) {
    return wide ? 255U - byte - (simt::shared_place(&table) >> 8 & 0xFFU) : byte;
  }

  /// By all warps; a barrier must follow. Eight lanes write a row of banks, 16 bytes each.
  RSR_DEVICE static void fill(Table& table) {
    const auto lane = static_cast<uint32_t>(simt::lane());
    for (int first = simt::kWarp * simt::warp(); first < 256; first += simt::threads()) {
      const auto from = static_cast<uint32_t>(first);
      const uint32_t mine = meaning(from + lane);
      for (uint32_t i = 0; i < 8; ++i) {
        const uint32_t byte = from + 4 * i + lane / 8;
        const uint32_t e = simt::shuffle(mine, static_cast<int>(4 * i + lane / 8));
        if (byte >= kMeanings) continue;
        uint32_t* row = table.entries[row_of(table, byte)] + 4 * (lane % 8);
        *reinterpret_cast<simt::Words4*>(row) = {{e, e, e, e}};
        if constexpr (wide) {
          const uint32_t up = e << 8;
          *reinterpret_cast<simt::Words4*>(row + simt::kWarp) = {{up, up, up, up}};
        }
      }
    }
  }

  /// The entries of the bytes of a word; those of bytes 1 and 3 moved up by a byte.
  RSR_DEVICE static void look_up(uint32_t (&entries)[4], const Table& table, uint32_t word) {
    const auto lane_bytes = static_cast<uint32_t>(4 * simt::lane());
    RSR_UNROLL
    for (uint32_t b = 0; b < 4; ++b) {
      if constexpr (wide) {
        const uint32_t window = simt::shared_place(&table) & 0xFFFF0000U;
        const uint32_t at = simt::byte_permute(~word, window | lane_bytes, 0x7604U | b << 4);
        entries[b] = simt::load_shared(at + b % 2 * 4U * simt::kWarp);
      } else {
        const uint32_t at = (b == 0 ? word << 7 : word >> (8U * b - 7U)) & 0x7F80U;
        const auto* bytes = reinterpret_cast<const unsigned char*>(table.entries);
        const auto e = *reinterpret_cast<const uint32_t*>(bytes + (at | lane_bytes));
        entries[b] = b % 2 != 0 ? e << 8 : e;
      }
    }
  }

  RSR_DEVICE static Codes decode(const Table& table, simt::Words2 line) {
    Codes codes;
    RSR_UNROLL
    for (int i = 0; i < 2; ++i) {
      uint32_t e[4];
      look_up(e, table, line.w[i]);
      const uint32_t low = e[0] + e[1];
      const uint32_t high = e[2] + e[3];
      codes.rows[i] = simt::byte_permute(low, high, 0x5410U);
      codes.fifths[i] = simt::byte_permute(low, high, 0x7632U);
    }
    return codes;
  }
};

/// The lowest code of each byte.
template <class F>
inline constexpr uint32_t kLowest = F::kBits == 2 ? 0x03030303U : 0x01010101U;

/// The weights of matrix instruction q (0 or 1) of a part: columns 8q .. 8q + 7 of it, moved down.
/// They meet the words 2q and 2q + 1 of the part's 16 bytes. 7 operations for 16 columns of a row.
template <class F>
RSR_DEVICE void move_down(uint32_t (&a)[4], const Codes& codes, int part, int q) {
  RSR_UNROLL
  for (int i = 0; i < 4; ++i) {
    a[i] = codes.rows[i % 2] >> F::kBits * (4 * part + 2 * q + i / 2) & kLowest<F>;
  }
}

/// The weights of columns 8j .. 8j + 7 of a line, left in place but for half of them, which go down
/// one place to the others: 4^(kBits j) times too large. 5 operations for 16 columns of t2, 9 for
/// 32 of b1.
template <class F>
RSR_DEVICE void leave_in_place(uint32_t (&a)[4], const Codes& codes, int j) {
  RSR_UNROLL
  for (int i = 0; i < 4; ++i) {
    a[i] = codes.rows[i % 2] >> F::kBits * (i / 2) & kLowest<F> << 2 * F::kBits * j;
  }
}

}  // namespace
}  // namespace rsr::cuda::RSR_SIMT
