// Checks packed lines that come from outside.
#pragma once

#include "matrix/packed.h"
#include "rsr/status.h"

namespace rsr::matrix {

/// Every code has a meaning (t2: not 3; t5: not one of the 13 bytes that mean nothing; t3: below
/// 27, bits 31:30 zero), and padding columns and rows hold the padding code. Kernels and repacking
/// rely on it. Errors name row and line, or row and column.
Status check_packed(const Packed& packed);

}  // namespace rsr::matrix
