// Prompt caches: keys and values of a session in a file, and back.
#include <algorithm>
#include <new>

#include "base/check.h"
#include "base/file.h"
#include "engine/session_impl.h"
#include "model/identity.h"
#include "model/kv_file.h"

namespace rsr {

const model::KvOwner& Engine::Impl::kv_owner() const {
  std::call_once(lazy_owner.once, [this] {
    model::KvOwner owner = model::kv_owner(model.config, kv_type);
    owner.model = model::model_identity(context.impl().pool, model);
    owner.arithmetic = model::arithmetic_identity(context.impl(), model);
    if (device != nullptr) {  // where the order of additions of a ternary float product is another
      const int capability = device->device.info().compute_capability;
      owner.arithmetic += ", device sm_" + std::to_string(capability);
    }
    lazy_owner.owner = std::move(owner);
  });
  return lazy_owner.owner;
}

namespace {

/// A cache of the host's for what lies on a device, of so many positions.
Result<model::KvCache> host_cache(const Engine::Impl& engine, int64_t count) {
  return model::KvCache::create(engine.model.config, count, engine.kv_type);
}

}  // namespace

Status Session::Impl::read_file(const model::KvFile& file, int64_t count) {
  base::ThreadPool& pool = engine->context.impl().pool;
  if (sequence->device == nullptr) return file.read(pool, count, sequence->cache);
  RSR_ASSIGN_OR_RETURN(const model::KvCache cache, host_cache(*engine, count));
  RSR_RETURN_IF_ERROR(file.read(pool, count, cache));
  Status put = sequence->device->put_cache(cache, count);
  if (!put.ok()) {  // some may have been written over
    reset();
    held.clear();
  }
  return put;
}

Status Session::Impl::write_file(const std::string& path) const {
  const auto count = static_cast<int64_t>(held.size());
  if (sequence->device == nullptr) {
    return model::write_kv_file(path, engine->kv_owner(), sequence->cache, held);
  }
  RSR_ASSIGN_OR_RETURN(const model::KvCache cache, host_cache(*engine, count));
  RSR_RETURN_IF_ERROR(sequence->device->get_cache(cache, count));
  return model::write_kv_file(path, engine->kv_owner(), cache, held);
}

Result<int64_t> Session::Impl::load_prompt_cache(const std::string& path) {
  RSR_ASSIGN_OR_RETURN(const model::KvFile file, model::KvFile::open(path, engine->kv_owner()));
  RSR_RETURN_IF_ERROR(reserve());
  const int64_t count = std::min(static_cast<int64_t>(file.ids().size()), engine->context_length);
  std::vector<int32_t> ids(file.ids().begin(), file.ids().begin() + count);
  RSR_RETURN_IF_ERROR(read_file(file, count));
  reset();
  held = std::move(ids);
  return count;
}

Result<bool> Session::Impl::save_prompt_cache(const std::string& path) const {
  if (held.empty()) return false;
  const Result<model::KvFile> there = model::KvFile::open(path, engine->kv_owner());
  if (there.ok()) {
    const std::vector<int32_t>& ids = there->ids();
    const bool holds_them =
        held.size() <= ids.size() && std::equal(held.begin(), held.end(), ids.begin());
    if (holds_them) return false;
  } else if (there.status().code() != ErrorCode::not_found) {
    return there.status();
  }
  RSR_RETURN_IF_ERROR(write_file(path));
  return true;
}

Result<int64_t> Session::load_prompt_cache(const std::string& path) {
  try {
    return impl_->load_prompt_cache(path);
  } catch (const std::bad_alloc&) {
    return base::error(ErrorCode::limit_exceeded, path, ": out of memory");
  }
}

Result<bool> Session::save_prompt_cache(const std::string& path) const {
  try {
    return impl_->save_prompt_cache(path);
  } catch (const std::bad_alloc&) {
    return base::error(ErrorCode::limit_exceeded, path, ": out of memory");
  }
}

}  // namespace rsr
