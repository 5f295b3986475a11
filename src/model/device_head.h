// The head of a sequence on a device: the next tokens, by a scan of the head in eight bits or by
// all logits (cuda/head).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "cuda/device.h"
#include "cuda/operations.h"
#include "linear/head_scan_form.h"

namespace rsr::model {

/// linear::HeadScanForm on a device.
struct DeviceHeadForm {
  /// Whether the operations can take a form of so many rows.
  static bool fits(int64_t rows) {
    return rows <= int64_t{cuda::kHeadMostTiles} * kernels::kScanTileRows;
  }
  /// Errors: no memory.
  static Result<DeviceHeadForm> upload(cuda::Stream& stream, const linear::HeadScanForm& form);

  int64_t bytes() const {
    return static_cast<int64_t>(lines.bytes() + row_values.bytes() + column_factors.bytes());
  }

  int32_t rows = 0;
  int32_t cols = 0;
  int32_t tiles = 0;
  int32_t steps = 0;
  float largest_norm = 0;
  double error_ratio = 0;
  cuda::Memory lines;
  cuda::Memory row_values;
  cuda::Memory column_factors;
};

/// What tokens are to be chosen by.
struct HeadQuestion {
  std::span<const cuda::HeadQuery> queries;  // one for each state
  /// What changes scores: all of it, `anew`, or what has become different since the last question.
  /// Ids are rows of the table. Read where the queries say so.
  bool anew = true;
  std::span<const cuda::HeadUpdate> updates = {};
};

/// Which operations a question takes; questions of the same way have the same graph.
struct HeadWay {
  bool scan = false;  // else all logits
  bool draw = false;  // else the best token
  bool top_k = false;
  bool top_p = false;

  int bits() const { return int{scan} | int{draw} << 1 | int{top_k} << 2 | int{top_p} << 3; }
  friend bool operator<(const HeadWay& a, const HeadWay& b) { return a.bits() < b.bits(); }

  static HeadWay of(const HeadQuestion& question, bool scan);
};

/// The token, and how many rows a scan left to be multiplied in full.
struct HeadChoice {
  int32_t id = 0;
  int64_t candidates = 0;
};

/// Buffers of one sequence, and what it asks of the device.
class DeviceHead {
 public:
  /// Most states of a question.
  static constexpr int64_t kMostStates = cuda::kHeadMostStates;

  /// Whether a table of so many rows has tokens that can be chosen.
  static bool fits(int64_t rows) { return rows <= cuda::kHeadMostRows; }

  /// `table` has the 16-bit rows, `rows` of them, of the head. `form`, its scan form, may be null;
  /// both must outlive this object.
  /// Errors: no memory.
  static Result<std::unique_ptr<DeviceHead>> create(cuda::Stream& stream,
                                                    const DeviceHeadForm* form,
                                                    const cuda::Dense& table);

  bool can_scan() const { return form_ != nullptr; }

  /// First, outside of graphs: makes the queries, in host memory, from which the caller copies
  /// them. Nothing may be running in the stream.
  Status prepare(cuda::Stream& stream, const HeadQuestion& question, cuda::HeadQuery* queries);

  /// What lies on the device by then.
  struct Asked {
    const cuda::HeadQuery* queries = nullptr;  // [states]
    int32_t states = 0;                        // 1 to kMostStates
    const float* x = nullptr;                  // [states, cols]
  };
  /// Then, in a graph or not: everything from the states to the results in host memory.
  Status scan(cuda::Stream& stream, const Asked& asked);
  /// The same by the logits [states, rows] of these states.
  Status choose(cuda::Stream& stream, const Asked& asked, const float* logits, const HeadWay& way);
  /// After an error: what was asked for may have been done in part.
  void expect_remains() { clean_ = false; }
  /// When that is done, of a state: nothing where a scan cannot tell, or a logit is not finite.
  std::optional<HeadChoice> answer(int64_t state) const;

 private:
  DeviceHead(const cuda::Device& device, const DeviceHeadForm* form, const cuda::Dense& table)
      : device_(device), form_(form), table_(table) {}

  Status reserve(cuda::Stream& stream);
  Status reserve_scan(cuda::Stream& stream);
  Status reserve_changes();
  Status clean(cuda::Stream& stream);
  Status find_candidates(cuda::Stream& stream, const Asked& asked);
  Status narrow(cuda::Stream& stream, const cuda::HeadTokens& of, bool by_weight);
  Status copy_results(cuda::Stream& stream, int32_t states);
  cuda::HeadBounds bounds() const;

  cuda::Device device_;
  const DeviceHeadForm* form_;
  cuda::Dense table_;
  cuda::Memory changes_;              // by row
  cuda::PinnedMemory known_changes_;  // the same on the host; empty until scores change
  cuda::Memory results_;              // of each state, as all that follow
  cuda::PinnedMemory answers_;
  // Of a choice by all logits.
  cuda::Memory scores_;
  cuda::Memory weights_;
  cuda::Memory cuts_;     // zeros in between
  cuda::Memory buckets_;  // the same
  bool clean_ = false;    // whether they are
  cuda::Memory sums_;     // of blocks
  // Of a scan.
  cuda::Memory planes_;
  cuda::Memory factors_;
  cuda::Memory rows_;   // bounds: [2][states][padded rows]
  cuda::Memory tiles_;  // [2][states][tiles]
  cuda::Memory ids_;    // of candidates
  cuda::Memory counts_;
  cuda::Memory logits_;
};

}  // namespace rsr::model
