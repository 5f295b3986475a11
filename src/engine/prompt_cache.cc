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
    lazy_owner.owner = std::move(owner);
  });
  return lazy_owner.owner;
}

namespace {

/// Files hold what the CPU has computed: the bits of a device's float sums may be others.
Status check_on_cpu(const Engine::Impl& engine, const std::string& path) {
  if (engine.device == nullptr) return {};
  return base::error(ErrorCode::invalid_argument, path,
                     ": prompt caches are for the device cpu, not for ",
                     engine.device->device.describe());
}

}  // namespace

Result<int64_t> Session::Impl::load_prompt_cache(const std::string& path) {
  RSR_RETURN_IF_ERROR(check_on_cpu(*engine, path));
  RSR_ASSIGN_OR_RETURN(const model::KvFile file, model::KvFile::open(path, engine->kv_owner()));
  RSR_RETURN_IF_ERROR(reserve());
  const int64_t count = std::min(static_cast<int64_t>(file.ids().size()), engine->context_length);
  std::vector<int32_t> ids(file.ids().begin(), file.ids().begin() + count);
  RSR_RETURN_IF_ERROR(file.read(engine->context.impl().pool, count, sequence->cache));
  reset();
  held = std::move(ids);
  return count;
}

Result<bool> Session::Impl::save_prompt_cache(const std::string& path) const {
  RSR_RETURN_IF_ERROR(check_on_cpu(*engine, path));
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
  RSR_RETURN_IF_ERROR(model::write_kv_file(path, engine->kv_owner(), sequence->cache, held));
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
