// Keys and values between a device and the host: what a prompt cache holds. The parts of a head lie
// in both as in a file (model/kv_layout.h).
#include <vector>

#include "base/check.h"
#include "model/device_sequence.h"
#include "model/kv_layout.h"

namespace rsr::model {

Status DeviceSequence::put_cache(const KvCache& from, int64_t count) {
  return copy_cache(from, count, [this](uint8_t* here, std::byte* there, size_t bytes) {
    return stream_.copy_to_device(here, there, bytes);
  });
}

Status DeviceSequence::get_cache(const KvCache& to, int64_t count) {
  return copy_cache(to, count, [this](const uint8_t* here, std::byte* there, size_t bytes) {
    return stream_.copy_to_host(there, here, bytes);
  });
}

template <class Copy>
Status DeviceSequence::copy_cache(const KvCache& host, int64_t count, const Copy& copy) {
  RSR_CHECK(count >= 1 && count <= positions_ && count <= host.positions());
  RSR_CHECK(host.type() == kv_.type);
  const KvOwner owner = kv_owner(model_.config, kv_.type);
  const std::vector<KvPart> parts = kv_parts(owner, count);
  const int64_t places[] = {0, kv_.values_at, kv_.key_scales_at, kv_.value_scales_at};
  for (int64_t layer = 0; layer < owner.layers; ++layer) {
    for (const KvPart& part : parts) {
      uint8_t* here = kv_heads(layer).data + places[part.kind];
      for (int64_t head = 0; head < owner.heads; ++head, here += kv_.head_bytes) {
        RSR_RETURN_IF_ERROR(copy(here, part.place(host.slot(layer, head, 0)), part.bytes(count)));
      }
    }
  }
  return stream_.wait();
}

}  // namespace rsr::model
