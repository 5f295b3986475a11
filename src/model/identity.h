// What decides the bits of keys and values besides the tokens: which model it is, and how this
// program computes. Two texts, to be compared and to be shown.
#pragma once

#include <string>

#include "base/thread_pool.h"
#include "linear/context.h"
#include "model/weights.h"

namespace rsr::model {

/// To be raised by whoever changes the bits of keys and values: the order of a sum, a polynomial,
/// a rounding. (A test of fixed values tells.)
inline constexpr int kArithmeticVersion = 2;

/// "bitnet, 30 layers of 2560, weights 0123456789abcdef, config 0123456789abcdef": the weights by
/// every byte of them, config.json by its bytes. Of a prepared model the hash of the header serves,
/// since it covers the checksums of all tensors; of any other model all files are read, on all
/// threads of the pool, about as fast as memory is.
std::string model_identity(base::ThreadPool& pool, const Model& model);

/// "2, rsr 0.1.0, kernels avx2, processor avx2, glibc 2.36, float formats t3": the version above,
/// the program's, the instruction set that kernels are chosen for, that of the processor and the C
/// library (which chooses sine and cosine by it), and the formats of ternary weights that multiply
/// floats: each has its own order of additions.
std::string arithmetic_identity(const Context::Impl& context, const Model& model);

}  // namespace rsr::model
