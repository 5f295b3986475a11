#include <algorithm>

#include "matrix/packed.h"
#include "matrix/t5_tables.h"

namespace rsr::matrix {
namespace {

/// Calls visit(line, byte, place of the quad's first column, place of the fifth) for every byte of
/// a row of `lines` lines, in format t5.
template <class Visit>
void for_each_t5_byte(int64_t lines, const Visit& visit) {
  for (int64_t line = 0; line < lines; ++line) {
    const int64_t block = line / kT5BlockLines * kT5BlockLines;
    const int64_t i = line - block;
    const int64_t n = lines - block < kT5BlockLines ? lines - block : kT5BlockLines;
    for (int b = 0; b < 4; ++b)
      visit(line, b, 20 * block + 16 * i + b, 20 * block + 16 * n + 4 * i + b);
  }
}

void pack_t5(std::span<const uint8_t> codes, uint8_t* out) {
  const auto lines = static_cast<int64_t>(codes.size()) / line_cols(Format::t5);
  for_each_t5_byte(lines, [&](int64_t line, int b, int64_t quad, int64_t fifth) {
    const uint8_t* c = codes.data() + quad;
    out[line * kLineBytes + b] =
        t5_encode(c[0] + 3 * c[4] + 9 * c[8] + 27 * c[12], codes[static_cast<size_t>(fifth)]);
  });
}

void unpack_t5(const uint8_t* in, std::span<uint8_t> codes) {
  const auto lines = static_cast<int64_t>(codes.size()) / line_cols(Format::t5);
  for_each_t5_byte(lines, [&](int64_t line, int b, int64_t quad, int64_t fifth) {
    const uint8_t byte = in[line * kLineBytes + b];
    for (int64_t f = 0; f < 4; ++f)
      codes[static_cast<size_t>(quad + 4 * f)] = kT5.fields[byte] >> 2 * f & 3;
    codes[static_cast<size_t>(fifth)] = kT5.fifth[byte];
  });
}

/// Formats whose bytes hold `per_byte` columns of `bits` bits, four apart: t2 and b1.
template <int bits>
void pack_fields(std::span<const uint8_t> codes, uint8_t* out) {
  constexpr int64_t kPerByte = 8 / bits;
  for (const uint8_t* c = codes.data(); c < codes.data() + codes.size(); c += 4 * kPerByte) {
    for (int b = 0; b < 4; ++b) {
      unsigned byte = 0;
      for (int64_t f = 0; f < kPerByte; ++f)
        byte |= static_cast<unsigned>(c[4 * f + b]) << bits * f;
      out[b] = static_cast<uint8_t>(byte);
    }
    out += kLineBytes;
  }
}

template <int bits>
void unpack_fields(const uint8_t* in, std::span<uint8_t> codes) {
  constexpr int64_t kPerByte = 8 / bits;
  for (uint8_t* c = codes.data(); c < codes.data() + codes.size(); c += 4 * kPerByte) {
    for (int b = 0; b < 4; ++b) {
      for (int64_t f = 0; f < kPerByte; ++f) {
        c[4 * f + b] = static_cast<uint8_t>(in[b] >> bits * f & ((1 << bits) - 1));
      }
    }
    in += kLineBytes;
  }
}

void pack_t3(std::span<const uint8_t> codes, uint8_t* out) {
  for (const uint8_t* c = codes.data(); c < codes.data() + codes.size(); c += 18) {
    uint32_t dword = 0;
    for (int64_t g = 0; g < 6; ++g) {
      const uint8_t* v = c + 3 * g;
      dword |= static_cast<uint32_t>(v[0] + 3 * v[1] + 9 * v[2]) << 5 * g;
    }
    for (int b = 0; b < 4; ++b) out[b] = static_cast<uint8_t>(dword >> 8 * b);
    out += kLineBytes;
  }
}

void unpack_t3(const uint8_t* in, std::span<uint8_t> codes) {
  for (uint8_t* c = codes.data(); c < codes.data() + codes.size(); c += 18) {
    const uint32_t dword = in[0] | in[1] << 8 | in[2] << 16 | static_cast<uint32_t>(in[3]) << 24;
    for (int64_t g = 0; g < 6; ++g) {
      const uint32_t code = dword >> 5 * g & 31;
      for (int j = 0, divisor = 1; j < 3; ++j, divisor *= 3) {
        c[3 * g + j] = static_cast<uint8_t>(code / static_cast<uint32_t>(divisor) % 3);
      }
    }
    in += kLineBytes;
  }
}

}  // namespace

void pack_row(Format format, std::span<const uint8_t> codes, int row, uint8_t* lines) {
  uint8_t* out = lines + int64_t{4} * row;
  switch (format) {
    case Format::t5:
      return pack_t5(codes, out);
    case Format::t2:
      return pack_fields<2>(codes, out);
    case Format::t3:
      return pack_t3(codes, out);
    case Format::b1:
      return pack_fields<1>(codes, out);
  }
}

void unpack_row(Format format, const uint8_t* lines, int row, std::span<uint8_t> codes) {
  const uint8_t* in = lines + int64_t{4} * row;
  switch (format) {
    case Format::t5:
      return unpack_t5(in, codes);
    case Format::t2:
      return unpack_fields<2>(in, codes);
    case Format::t3:
      return unpack_t3(in, codes);
    case Format::b1:
      return unpack_fields<1>(in, codes);
  }
}

}  // namespace rsr::matrix
