// The files of a repository that this engine reads. Nothing else is downloaded: a repository often
// holds the same weights once more in other formats.
#pragma once

#include <array>

namespace rsr::io {

inline constexpr const char* kConfigFile = "config.json";
inline constexpr const char* kWeightsFile = "model.safetensors";
/// Names the shards; read only where there is no kWeightsFile, as TensorStore does.
inline constexpr const char* kWeightsIndex = "model.safetensors.index.json";

/// What a repository may lack. Without one of these another text is generated, silently: a cache is
/// believed to be complete only when it has them or knows that the repository does not.
inline constexpr std::array<const char*, 4> kOptionalFiles = {
    "generation_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"};

}  // namespace rsr::io
