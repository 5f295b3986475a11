// What QuantisedVectors hold.
#pragma once

#include "linear/activations.h"
#include "rsr/linear.h"

namespace rsr {

struct QuantisedVectors::Impl {
  linear::Activations vectors;
};

}  // namespace rsr
