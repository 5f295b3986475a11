// A prompt cache that is accepted can be read, all of it or a part, into caches just large enough,
// and has ids of the vocabulary alone.
#include <algorithm>

#include "checked_file.h"
#include "fuzz.h"
#include "model/kv_file.h"

namespace {

using rsr::model::KvCache;
using rsr::model::KvFile;
using rsr::model::KvType;

rsr::model::ModelConfig config() {
  rsr::model::ModelConfig config;
  config.num_layers = 2;
  config.num_kv_heads = 2;
  config.head_dim = 6;
  config.vocab_size = 100;
  return config;
}

void read(const KvFile& file, KvType type, rsr::base::ThreadPool& pool) {
  const auto all = static_cast<int64_t>(file.ids().size());
  FUZZ_CHECK(all >= 1 && std::all_of(file.ids().begin(), file.ids().end(),
                                     [](int32_t id) { return id >= 0 && id < 100; }));
  bool whole = false;
  for (const int64_t count : {all, (all + 1) / 2, int64_t{1}}) {
    const auto cache = KvCache::create(config(), count, type);
    if (!cache.ok()) return;
    const bool ok = file.read(pool, count, *cache).ok();
    if (count == all) whole = ok;
    FUZZ_CHECK(ok == whole);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static rsr::base::ThreadPool pool(1);
  const std::string bytes = rsr::fuzz::with_hash(std::string(rsr::fuzz::as_text(data, size)));
  const std::string path = rsr::fuzz::file_of(bytes);
  if (path.empty()) return 0;
  for (const KvType type : {KvType::f32, KvType::f16, KvType::i8}) {
    rsr::model::KvOwner owner = rsr::model::kv_owner(config(), type);
    owner.model = "model";
    owner.arithmetic = "1";
    const auto file = KvFile::open(path, owner);
    if (file.ok()) read(*file, type, pool);
  }
  return 0;
}
