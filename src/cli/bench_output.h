// What rsr bench prints: JSON, CSV or text for people, measurement by measurement, so that a long
// suite that is cut off has not been for nothing.
#pragma once

#include <string>
#include <vector>

#include "cli/bench_record.h"
#include "cli/output.h"

namespace rsr::cli {

enum class BenchFormat {
  page,   ///< one product at length
  table,  ///< one line for each record
  json,   ///< an array
  csv
};

class BenchWriter {
 public:
  explicit BenchWriter(BenchFormat format) : format_(format) {}

  /// The records of one product. False when nobody reads any more.
  bool write(const std::vector<BenchRecord>& records);
  /// Closes what is open. Gives the error of a failed write.
  Status finish();

 private:
  BenchFormat format_;
  bool begun_ = false;
  Output output_;
};

/// A line on a terminal that says how far a suite has come; nothing elsewhere.
class Progress {
 public:
  explicit Progress(size_t total);
  void show(size_t done, const std::string& what) const;
  void clear() const;

 private:
  size_t total_;
  bool terminal_;
};

}  // namespace rsr::cli
