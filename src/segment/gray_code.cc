#include "segment/gray_code.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>
#include <utility>

#include "base/check.h"
#include "segment/cell_forms.h"
#include "segment/column_groups.h"

#ifdef __x86_64__
#include <xbyak/xbyak.h>
#endif

namespace rsr::segment {

#ifdef __x86_64__
namespace {

using Xbyak::Ymm;
using Xbyak::Zmm;
using Digits = std::array<int8_t, 8>;  // by row

constexpr size_t kCellAlignment = 64;

/// Digits of the pattern of each rank.
std::vector<Digits> digits_by_rank(Alphabet alphabet, int k) {
  const auto patterns = static_cast<int>(pattern_count(alphabet, k));
  std::vector<Digits> digits(static_cast<size_t>(patterns));
  for (int code = 0; code < patterns; ++code) {
    const uint32_t pattern = code_pattern(alphabet, k, code);
    Digits& of_rank = digits[gray_rank(pattern, k, alphabet)];
    for (int r = 0; r < k; ++r) {
      of_rank[static_cast<size_t>(r)] = static_cast<int8_t>(digit_of(pattern, r));
    }
  }
  return digits;
}

/// An instruction that differs in its last bytes only, the displacement of an address: the
/// assembler is asked once, and copies are filled in. Asking for each of them took 13 to 20 ns per
/// weight.
struct Pattern {
  std::array<uint8_t, 8> bytes{};
  uint8_t size = 0;
};

/// Where a cell is written. A cell has at most 512 columns and 256 groups, whose boundaries change
/// 256 + 2 k rows at most, by instructions of up to 8 bytes: below 9 KB.
struct Room {
  std::array<uint8_t, 32768> room = {};
};

/// Emits one cell after the other into a buffer of its own.
class CellCompiler : private Room, public Xbyak::CodeGenerator {
 public:
  CellCompiler(const GrayStream& index, Lanes lanes)
      : CodeGenerator(room.size(), room.data()),
        index_(index),
        wide_(index.stride == 64),
        lanes_(lanes),
        digits_(digits_by_rank(index.alphabet, index.k)) {
    for (int number = 0; number < registers(); ++number) {
      for (const bool far : {false, true}) {
        const Xbyak::Address from = ptr[(far ? rax : rdi) + (wide_ ? 64 : 0x1000000)];
        loads_.push_back(pattern([&] { load(number, from); }));
        adds_.push_back(pattern([&] { add_memory(number, from); }));
      }
    }
  }

  std::span<const uint8_t> compile(int64_t cell) {
    reset();
    if (wide_) {
      lea(rax, ptr[rdi + kFarBase]);
      this->Xbyak::CodeGenerator::add(rdi, kNearBase);
    }
    for (int r = 0; r < index_.k; ++r) load(r, row(r));
    add_groups(cell);
    for (int r = 0; r < index_.k; ++r) store(row(r), r);
    vzeroupper();
    ret();
    return {getCode(), getSize()};
  }

 private:
  // The displacement of an EVEX instruction is a byte that counts vectors: two bases reach all 512
  // columns with instructions of 7 bytes. VEX has no such thing, and takes 8 bytes with a dword.
  static constexpr int kNearBase = 128 * 64;
  static constexpr int kFarBase = 3 * 128 * 64;
  // Instructions from one prefetch to the next: a quarter of the lines that they take, at 7 bytes,
  // and a little more, as other cells are longer. A burst of them would fill all buffers, and the
  // first loads of the cell wait behind it.
  static constexpr size_t kPrefetchEvery = 28;

  int registers() const { return wide_ ? 32 : 16; }
  int sum() const { return index_.k; }  // the register of P; rows are 0 to k - 1

  void add_groups(int64_t cell) {
    const uint16_t* places = index_.places.data() + index_.cell_places[static_cast<size_t>(cell)];
    const uint16_t* ends = index_.ends.data() + cell * index_.patterns();
    Digits before{};
    started_ = false;
    instructions_ = 0;
    int64_t at = 0;
    for (size_t rank = 0; rank < digits_.size(); ++rank) {
      int64_t end = int64_t{2} * (ends[rank] / index_.stride);
      const int64_t begin = std::exchange(at, end);
      if (end > begin && places[end - 1] == index_.tile_cols * index_.stride) --end;
      if (end == begin) continue;
      if (started_) change_rows(before, digits_[rank]);
      add_group({places + begin, places + end});
      before = digits_[rank];
    }
    if (started_) change_rows(before, {});
  }

  /// P += the columns of a group.
  void add_group(std::span<const uint16_t> places) {
    if (started_ && places.size() == 1) return put(adds_, sum(), places[0]);
    const int total = started_ ? next_temporary() : sum();
    put(loads_, total, places[0]);
    for (const uint16_t place : places.subspan(1)) put(adds_, total, place);
    if (started_) add(sum(), total);
    started_ = true;
  }

  /// y_r += (digit before - digit after) P.
  void change_rows(const Digits& before, const Digits& after) {
    for (int r = 0; r < index_.k; ++r) {
      const int change = before[static_cast<size_t>(r)] - after[static_cast<size_t>(r)];
      for (int i = 0; i < change; ++i) add(r, sum());
      for (int i = 0; i > change; --i) subtract(r, sum());
    }
  }

  /// Registers in turn, so that a group need not wait for the one before.
  int next_temporary() {
    temporary_ = temporary_ > sum() && temporary_ + 1 < registers() ? temporary_ + 1 : sum() + 1;
    return temporary_;
  }

  template <class Emit>
  Pattern pattern(const Emit& emit) {
    reset();
    emit();
    Pattern made;
    made.size = static_cast<uint8_t>(getSize());
    RSR_CHECK_OP(made.size, <=, made.bytes.size());
    std::copy_n(getCode(), made.size, made.bytes.begin());
    return made;
  }

  void count_instruction() {
    const size_t before = instructions_++ / kPrefetchEvery;
    if (instructions_ / kPrefetchEvery > before) prefetcht1(ptr[rdx + 64 * before]);
  }

  /// An instruction with the address of a column.
  void put(const std::vector<Pattern>& patterns, int number, uint16_t place) {
    const bool far = wide_ && place >= 2 * kNearBase;
    const Pattern& made = patterns[2 * static_cast<size_t>(number) + (far ? 1 : 0)];
    uint8_t* out = room.data() + getSize();
    std::copy(made.bytes.begin(), made.bytes.end(), out);
    if (wide_) {
      out[made.size - 1] = static_cast<uint8_t>((place - (far ? kFarBase : kNearBase)) / 64);
    } else {
      const uint32_t displacement = place;
      std::memcpy(out + made.size - sizeof displacement, &displacement, sizeof displacement);
    }
    setSize(getSize() + made.size);
    count_instruction();
  }

  /// Where row r of y is.
  Xbyak::Address row(int r) { return ptr[rsi + int64_t{r} * index_.stride]; }
  Ymm ymm(int number) const { return Ymm(number); }
  Zmm zmm(int number) const { return Zmm(number); }
  void load(int to, const Xbyak::Address& from) {
    wide_ ? vmovdqa64(zmm(to), from) : vmovdqa(ymm(to), from);
  }
  void store(const Xbyak::Address& to, int from) {
    wide_ ? vmovdqa64(to, zmm(from)) : vmovdqa(to, ymm(from));
  }
  template <class Vector>
  void add_operand(const Vector& to, const Xbyak::Operand& b) {
    lanes_ == Lanes::int16 ? vpaddw(to, to, b) : vaddps(to, to, b);
  }
  void add_memory(int to, const Xbyak::Address& b) {
    wide_ ? add_operand(zmm(to), b) : add_operand(ymm(to), b);
  }
  void add(int to, int b) { wide_ ? add_operand(zmm(to), zmm(b)) : add_operand(ymm(to), ymm(b)); }
  template <class Vector>
  void subtract_operand(const Vector& to, const Vector& b) {
    lanes_ == Lanes::int16 ? vpsubw(to, to, b) : vsubps(to, to, b);
  }
  void subtract(int to, int b) {
    count_instruction();
    wide_ ? subtract_operand(zmm(to), zmm(b)) : subtract_operand(ymm(to), ymm(b));
  }

  const GrayStream& index_;
  bool wide_;
  Lanes lanes_;
  std::vector<Digits> digits_;
  std::vector<Pattern> loads_;  // [register][base]
  std::vector<Pattern> adds_;
  bool started_ = false;  // P holds a sum
  int temporary_ = 0;
  size_t instructions_ = 0;
};

}  // namespace

bool can_compile(int stride) {
  return stride == 32 || stride == 64;
}

GrayCode compile_gray(const GrayStream& index, Lanes lanes, int64_t most_bytes) {
  GrayCode out;
  RSR_CHECK_OP(index.tile_cols, <=, 512);
  CellCompiler compiler(index, lanes);
  out.cells.push_back(0);
  for (int64_t cell = 0; cell < index.cell_count(); ++cell) {
    const std::span<const uint8_t> code = compiler.compile(cell);
    out.code.insert(out.code.end(), code.begin(), code.end());
    // A function begins on a line of its own; what fills the gap traps.
    const size_t end = (out.code.size() + kCellAlignment - 1) / kCellAlignment * kCellAlignment;
    if (static_cast<int64_t>(end) > most_bytes) return {};
    out.code.resize(end, 0xCC);
    out.cells.push_back(end);
  }
  return out;
}

#else

bool can_compile(int) {
  return false;
}
GrayCode compile_gray(const GrayStream&, Lanes, int64_t) {
  return {};
}

#endif

}  // namespace rsr::segment
