// The head of a sequence on a device: the next token by a scan of the head in eight bits
// (cuda/head), without its logits.
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

/// What a token is to be chosen by.
struct HeadQuestion {
  cuda::HeadQuery query;  // without its updates
  /// What changes scores: all of it, `anew`, or what has become different since the last question.
  /// Ids are rows of the table. Read where query.changes says so.
  bool anew = true;
  std::span<const cuda::HeadUpdate> updates = {};
};

/// The token, and how many rows the scan left to be multiplied in full.
struct HeadChoice {
  int32_t id = 0;
  int64_t candidates = 0;
};

/// Buffers of one sequence, and what it asks of the device.
class DeviceHead {
 public:
  /// `table` has the 16-bit rows of the form's head, which must outlive this object as the form.
  /// Errors: no memory.
  static Result<std::unique_ptr<DeviceHead>> create(const cuda::Device& device,
                                                    const DeviceHeadForm& form,
                                                    const cuda::Dense& table);

  /// First, outside of graphs: makes the query, in host memory, from which the caller copies it.
  /// Nothing may be running in the stream.
  Status prepare(cuda::Stream& stream, const HeadQuestion& question, cuda::HeadQuery* query);
  /// Then, in a graph or not: everything from the state [cols] to the result in host memory, by a
  /// query that lies on the device by then.
  Status ask(cuda::Stream& stream, const float* state, const cuda::HeadQuery* query);
  /// When that is done: nothing where only all logits can tell.
  std::optional<HeadChoice> answer() const;

 private:
  DeviceHead(const cuda::Device& device, const DeviceHeadForm& form, const cuda::Dense& table)
      : device_(device), form_(form), table_(table) {}

  Status reserve();
  Status reserve_changes();
  Status scan(cuda::Stream& stream, const float* state, const cuda::HeadQuery* query);
  cuda::HeadBounds bounds() const;

  cuda::Device device_;
  const DeviceHeadForm& form_;
  cuda::Dense table_;
  cuda::Memory changes_;              // by row
  cuda::PinnedMemory known_changes_;  // the same on the host; empty until scores change
  cuda::Memory planes_;
  cuda::Memory factors_;
  cuda::Memory rows_;   // bounds: [2][padded rows]
  cuda::Memory tiles_;  // [2][tiles]
  cuda::Memory ids_;    // of candidates
  cuda::Memory count_;
  cuda::Memory logits_;
  cuda::Memory result_;
  cuda::PinnedMemory answer_;
};

}  // namespace rsr::model
