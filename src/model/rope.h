// Rotary position embedding: which frequencies a config asks for, and the rotation.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/json.h"
#include "rsr/status.h"

namespace rsr::model {

/// The scalings of frequencies that are understood.
enum class RopeScaling {
  none,
  linear,  ///< all frequencies divided by the factor
  llama3   ///< low frequencies divided, high ones kept, a ramp between the two
};

struct Rope {
  RopeScaling scaling = RopeScaling::none;
  double theta = 0;
  double factor = 1;
  /// llama3: a frequency that turns less than `low` (more than `high`) times within
  /// `original_positions` is low (high).
  double low_freq_factor = 0;
  double high_freq_factor = 0;
  double original_positions = 0;

  bool operator==(const Rope&) const = default;
};

/// Reads rope_theta and the objects rope_scaling (old) and rope_parameters (transformers 5) of a
/// config.json; a scaling that is not known is refused with its name.
Result<Rope> read_rope(const base::Json& json);

/// theta^(-2i / head_dim), scaled: [head_dim / 2].
std::vector<double> rope_frequencies(const Rope& rope, int64_t head_dim);

/// Cosine and sine of position * frequency; each [frequencies.size()]. Angles are formed in double:
/// a float angle at position 4096 is off by 1e-4.
void rope_angles(int64_t position, std::span<const double> frequencies, float* cosine,
                 float* sine) noexcept;

/// Turns the pairs (x_i, x_{i + head_dim/2}) of each of `heads` heads; cosine, sine [head_dim / 2].
void rotate(std::span<const float> cosine, std::span<const float> sine, int64_t heads,
            float* x) noexcept;

}  // namespace rsr::model
