#pragma once

namespace rsr {

/// The version of the library, such as "0.1.0".
const char* version();

}  // namespace rsr
