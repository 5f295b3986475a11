// A model configuration that is accepted has sizes that fit each other and whose products do not
// overflow; token ids are never negative.
#include <vector>

#include "fuzz.h"
#include "model/config.h"

namespace {

void check_config(const rsr::model::ModelConfig& config) {
  for (const int64_t size :
       {config.vocab_size, config.hidden_size, config.intermediate_size, config.num_layers,
        config.num_heads, config.num_kv_heads, config.head_dim, config.max_positions}) {
    FUZZ_CHECK(size > 0 && size < int64_t{1} << 31);
  }
  FUZZ_CHECK(config.num_heads % config.num_kv_heads == 0);
  FUZZ_CHECK(config.head_dim % 2 == 0);
  FUZZ_CHECK(config.rms_norm_eps > 0 && config.rope.theta >= 1);
  int64_t cache = 0;
  FUZZ_CHECK(!__builtin_mul_overflow(config.kv_dim(), config.num_layers, &cache));
  FUZZ_CHECK(!__builtin_mul_overflow(cache, 2 * sizeof(float) * config.max_positions, &cache));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto json = rsr::base::parse_json(rsr::fuzz::as_text(data, size), "config.json");
  if (!json.ok()) return 0;
  const auto ids = rsr::model::read_token_ids(*json, "eos_token_id");
  if (ids.ok()) {
    for (const int32_t id : *ids) FUZZ_CHECK(id >= 0);
  }
  const auto config = rsr::model::parse_config(*json);
  if (config.ok()) check_config(*config);
  return 0;
}
