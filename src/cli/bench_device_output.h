// What rsr bench matvec --device prints for people.
#pragma once

#include <string>

#include "cli/bench_record.h"

namespace rsr::cli {

std::string device_table_header(const BenchRecord& record);
std::string device_table_line(const BenchRecord& record);

}  // namespace rsr::cli
