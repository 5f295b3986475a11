#include "linear/packing_isa.h"

namespace rsr::linear {

Result<base::Isa> packing_isa(std::string_view asked) {
  if (asked.empty()) return base::choose_isa({});
  Result<base::Isa> isa = base::isa_from_name(asked);
  if (!isa.ok()) return isa.status().with_context("isa");
  return isa;
}

}  // namespace rsr::linear
