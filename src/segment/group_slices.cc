#include "segment/group_slices.h"

#include <algorithm>
#include <numeric>

namespace rsr::segment {
namespace {

struct Group {
  uint32_t pattern;
  const uint16_t* columns;
  int64_t size;
};

std::vector<Group> groups_of_cell(const ColumnGroups& g, int64_t cell) {
  std::vector<Group> all;
  const uint16_t* columns = g.columns.data() + g.cell_columns[cell];
  int64_t begin = 0;
  for (int64_t i = g.cell_groups[cell]; i < g.cell_groups[cell + 1]; ++i) {
    const int64_t end = g.lasts[i] + int64_t{1};
    all.push_back({g.patterns[i], columns + begin, end - begin});
    begin = end;
  }
  return all;
}

void append_slice(const Group* groups, int64_t count, uint16_t none, GroupSlices& out,
                  std::vector<uint16_t>& columns) {
  for (int64_t lane = 0; lane < kSliceGroups; ++lane) {
    out.patterns.push_back(lane < count ? groups[lane].pattern : 0);
  }
  const int64_t steps = groups[0].size;
  for (int64_t step = 0; step < steps; ++step) {
    for (int64_t lane = 0; lane < kSliceGroups; ++lane) {
      const bool some = lane < count && step < groups[lane].size;
      columns.push_back(some ? groups[lane].columns[step] : none);
    }
  }
  out.slice_steps.push_back(out.slice_steps.back() + steps);
}

}  // namespace

int64_t GroupSlices::nbytes() const {
  const size_t bytes = (cell_slices.size() + slice_steps.size()) * sizeof(int64_t) +
                       patterns.size() * sizeof(uint32_t) + columns.size() * sizeof(uint16_t);
  return static_cast<int64_t>(bytes);
}

bool can_slice(const ColumnGroups& groups) {
  return std::min(groups.tile_cols, groups.cols) <= kMaxSliceCols;
}

GroupSlices slice(const ColumnGroups& groups) {
  GroupSlices out;
  static_cast<Grid&>(out) = groups;
  out.cell_slices.push_back(0);
  out.slice_steps.push_back(0);
  std::vector<uint16_t> columns;
  columns.reserve(groups.columns.size() + groups.columns.size() / 16);
  for (int64_t cell = 0; cell < groups.cell_count(); ++cell) {
    std::vector<Group> all = groups_of_cell(groups, cell);
    std::stable_sort(all.begin(), all.end(),
                     [](const Group& a, const Group& b) { return a.size > b.size; });
    const auto none = static_cast<uint16_t>(out.tile_width(cell % groups.tile_count()));
    for (size_t first = 0; first < all.size(); first += kSliceGroups) {
      const auto count = static_cast<int64_t>(std::min<size_t>(kSliceGroups, all.size() - first));
      append_slice(all.data() + first, count, none, out, columns);
    }
    out.cell_slices.push_back(static_cast<int64_t>(out.slice_steps.size()) - 1);
  }
  out.columns = base::AlignedArray<uint16_t>(columns.size());
  std::copy(columns.begin(), columns.end(), out.columns.data());
  return out;
}

ColumnGroups unslice(const GroupSlices& slices) {
  ColumnGroups out;
  static_cast<Grid&>(out) = slices;
  out.cell_groups.push_back(0);
  out.cell_columns.push_back(0);
  std::vector<int64_t> lanes;
  for (size_t cell = 0; cell + 1 < slices.cell_slices.size(); ++cell) {
    lanes.resize(static_cast<size_t>(slices.cell_slices[cell + 1] - slices.cell_slices[cell]) *
                 kSliceGroups);
    std::iota(lanes.begin(), lanes.end(), slices.cell_slices[cell] * kSliceGroups);
    std::erase_if(lanes, [&](int64_t lane) { return slices.patterns[lane] == 0; });
    std::sort(lanes.begin(), lanes.end(),
              [&](int64_t a, int64_t b) { return slices.patterns[a] < slices.patterns[b]; });
    const int64_t none = slices.tile_width(static_cast<int64_t>(cell) % slices.tile_count());
    const int64_t first = out.cell_columns.back();
    for (const int64_t lane : lanes) {
      const int64_t index = lane / kSliceGroups;
      for (int64_t step = slices.slice_steps[index]; step < slices.slice_steps[index + 1]; ++step) {
        const uint16_t column = slices.columns[step * kSliceGroups + lane % kSliceGroups];
        if (column != none) out.columns.push_back(column);
      }
      const int64_t last = static_cast<int64_t>(out.columns.size()) - first - 1;
      out.patterns.push_back(slices.patterns[lane]);
      out.lasts.push_back(static_cast<uint16_t>(last));
    }
    out.cell_groups.push_back(static_cast<int64_t>(out.patterns.size()));
    out.cell_columns.push_back(static_cast<int64_t>(out.columns.size()));
  }
  return out;
}

}  // namespace rsr::segment
