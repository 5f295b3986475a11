// What the look-ups of t3 and b1 share with those who prepare their inputs.
#pragma once

namespace rsr::kernels {

/// Look-ups read so many tiles of a range [b, e) together: b, b + d, b + 2d, ... with
/// d = (e - b) / kFloatStreams, and then the tiles that follow these.
inline constexpr int kFloatStreams = 8;

}  // namespace rsr::kernels
