// How long work asks whether it is still wanted: one type for files, locks and transfers.
#pragma once

#include <functional>

namespace rsr::io {

/// Asked now and then during long work; false cancels.
using KeepGoing = std::function<bool()>;

}  // namespace rsr::io
