// Runs the examples of docs/algorithm.md: every number in them is computed again by the library.
//
// A fenced block ```rsr-example starts with its inputs (form, alphabet, k, W, x; rows of W end with
// '/') and goes on with what follows from them, line by line. ```rsr-counts is a table of
// additions.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <sstream>

#include "segment/cell_forms.h"
#include "segment/cost.h"
#include "segment/counting_run.h"
#include "segment/oracle.h"
#include "segment/row_tables.h"
#include "segment/test_matrices.h"

namespace rsr::segment {
namespace {

using Lines = std::vector<std::string>;

// The lines of each fenced block of one kind.
std::vector<Lines> blocks_of(const std::string& kind) {
  std::ifstream file(std::string(RSR_SOURCE_DIR) + "/docs/algorithm.md");
  std::vector<Lines> blocks;
  bool inside = false;
  for (std::string line; std::getline(file, line);) {
    if (line == "```" + kind) {
      inside = true;
      blocks.emplace_back();
    } else if (line.starts_with("```")) {
      inside = false;
    } else if (inside) {
      blocks.back().push_back(line);
    }
  }
  return blocks;
}

struct Example {
  std::string form;
  int k = 0;  // rows of a block, or columns of a table
  TestMatrix m;
  std::vector<int8_t> x;
  Lines rest;
};

std::vector<int8_t> numbers(std::istream& in) {
  std::vector<int8_t> values;
  for (int v = 0; in >> v;) values.push_back(static_cast<int8_t>(v));
  return values;
}

Example parse(const Lines& lines) {
  Example e;
  for (const std::string& line : lines) {
    const size_t colon = line.find(": ");
    const std::string key = line.substr(0, colon);
    std::string value = colon == std::string::npos ? "" : line.substr(colon + 2);
    if (key == "W") e.m.rows = 1 + std::count(value.begin(), value.end(), '/');
    std::replace(value.begin(), value.end(), '/', ' ');
    std::istringstream in(value);
    if (key == "form") {
      e.form = value;
    } else if (key == "alphabet") {
      e.m.alphabet = value == "binary" ? Alphabet::binary : Alphabet::ternary;
    } else if (key == "k" || key == "columns per table") {
      in >> e.k;
    } else if (key == "W") {
      e.m.w = numbers(in);
    } else if (key == "x") {
      e.x = numbers(in);
    } else {
      e.rest.push_back(line);
    }
  }
  e.m.cols = static_cast<int64_t>(e.x.size());
  return e;
}

template <class Values>
std::string join(const Values& values) {
  std::ostringstream out;
  for (const auto v : values) out << (out.tellp() > 0 ? " " : "") << static_cast<int64_t>(v);
  return out.str();
}

// A pattern, row 0 first: 0 and 1, or -, 0 and +.
std::string show(uint32_t pattern, int rows, Alphabet alphabet) {
  const char* names = alphabet == Alphabet::binary ? "?01" : "-0+";
  std::string name;
  for (int r = 0; r < rows; ++r) name += names[digit_of(pattern, r) + 1];
  return name;
}

std::vector<int32_t> signed_values(const std::vector<uint32_t>& values, int64_t count) {
  return {values.begin(), values.begin() + count};
}

// One block of an example in the making: its groups with their sums, then the steps of the form.
class Teller {
 public:
  Teller(const Example& e, Form form)
      : e_(e),
        form_(form),
        groups_(
            build(e.m.source(), e.m.rows, e.m.cols, {e.m.alphabet, required_order(form), e.k, 0})
                .value()) {}

  Lines tell() {
    for (int64_t block = 0; block < groups_.block_count(); ++block) {
      if (groups_.block_count() > 1) say("block ", block);
      tell_groups(block);
      if (form_ == Form::fold) tell_fold(block);
      if (form_ == Form::gray) tell_gray(block);
    }
    std::vector<int32_t> y(static_cast<size_t>(e_.m.rows));
    std::vector<double> scratch(static_cast<size_t>(scratch_bytes(form_, groups_)) / 8);
    multiply(form_, Product<int8_t, int32_t>{&groups_, e_.x.data(), y.data(), scratch.data()},
             whole(groups_));
    say("y: ", join(y));
    return lines_;
  }

 private:
  template <class... Parts>
  void say(const Parts&... parts) {
    std::ostringstream out;
    (out << ... << parts);
    lines_.push_back(out.str());
  }

  void tell_groups(int64_t block) {
    const Cell cell = cell_of(groups_, block);
    DirectSums<int8_t> sums(e_.x.data(), cell.columns);
    sums_.clear();
    int64_t begin = 0;
    for (int64_t g = 0; g < cell.group_count; ++g) {
      const std::vector<uint16_t> columns(cell.columns + begin, cell.columns + cell.end(g));
      begin = cell.end(g);
      sums_.push_back(static_cast<int32_t>(sums.next(begin)));
      say("group ", show(cell.patterns[g], groups_.block_rows(block), e_.m.alphabet), ": columns ",
          join(columns), ", sum ", sums_.back());
    }
  }

  void tell_fold(int64_t block) {
    const Cell cell = cell_of(groups_, block);
    const bool binary = e_.m.alphabet == Alphabet::binary;
    int64_t size = pattern_count(e_.m.alphabet, e_.k);
    std::vector<uint32_t> u(static_cast<size_t>(size), 0);
    for (int64_t g = 0; g < cell.group_count; ++g) {
      const uint32_t p = cell.patterns[g];
      const int64_t place =
          binary ? p : (size - 1) / 2 + kTernaryWeights[p & 0xFFFF] - kTernaryWeights[p >> 16];
      u[place] = static_cast<uint32_t>(sums_[g]);
    }
    say("table: ", join(signed_values(u, size)));
    for (int r = e_.k - 1; r >= 0; --r) {
      size /= binary ? 2 : 3;
      const uint32_t y = binary ? fold_halves(u.data(), size, 0u) : fold_thirds(u.data(), size, 0u);
      const std::string left = r == 0 ? "" : ", table " + join(signed_values(u, size));
      say("fold row ", r, ": y ", static_cast<int32_t>(y), left);
    }
  }

  void tell_gray(int64_t block) {
    const Cell cell = cell_of(groups_, block);
    int64_t running = 0;
    for (int64_t g = 0; g < cell.group_count; ++g) {
      for (int r = 0; g > 0 && r < e_.k; ++r) {
        const int change = digit_of(cell.patterns[g], r) - digit_of(cell.patterns[g - 1], r);
        if (change != 0) {
          say("boundary ", show(cell.patterns[g - 1], e_.k, e_.m.alphabet), " to ",
              show(cell.patterns[g], e_.k, e_.m.alphabet), ": row ", r, " changes by ", change,
              ", running sum ", running);
        }
      }
      running += sums_[g];
    }
    for (int r = 0; r < e_.k; ++r) {
      const int digit = digit_of(cell.patterns[cell.group_count - 1], r);
      if (digit != 0) say("closing: row ", r, " has digit ", digit, ", total ", running);
    }
  }

  const Example& e_;
  Form form_;
  ColumnGroups groups_;
  std::vector<int32_t> sums_;
  Lines lines_;
};

Lines tell_dual(const Example& e) {
  const RowTables tables =
      build_row_tables(e.m.source(), e.m.rows, e.m.cols, e.m.alphabet, e.k).value();
  Lines lines;
  std::vector<uint32_t> table(1 << kMaxTableCols);
  for (int64_t g = 0; g < tables.group_count(); ++g) {
    const int8_t* x = e.x.data() + g * e.k;
    const int width = tables.width(g);
    if (e.m.alphabet == Alphabet::binary) fill_binary_table(x, width, table.data());
    if (e.m.alphabet == Alphabet::ternary) fill_ternary_table(x, width, table.data());
    const auto first = tables.codes.begin() + g * e.m.rows;
    lines.push_back("table " + std::to_string(g) + ": " +
                    join(signed_values(table, pattern_count(e.m.alphabet, width))));
    lines.push_back("codes " + std::to_string(g) + ": " +
                    join(std::vector<uint8_t>(first, first + e.m.rows)));
  }
  std::vector<uint32_t> scratch(static_cast<size_t>(e.m.rows));
  std::vector<int32_t> y(scratch.size());
  multiply_rows(tables, e.x.data(), {0, e.m.rows}, scratch.data(), y.data());
  lines.push_back("y: " + join(y));
  return lines;
}

std::string text(const Lines& lines) {
  std::string all;
  for (const std::string& line : lines) all += line + "\n";
  return all;
}

TEST(AlgorithmDoc, ExamplesAreWhatTheLibraryComputes) {
  std::map<std::string, int> seen;
  for (const Lines& block : blocks_of("rsr-example")) {
    const Example e = parse(block);
    ASSERT_EQ(e.m.rows * e.m.cols, static_cast<int64_t>(e.m.w.size())) << text(block);
    ++seen[e.form + " " + to_string(e.m.alphabet)];
    Lines expected;
    if (e.form == "dual") expected = tell_dual(e);
    for (const Form form : kForms) {
      if (e.form == to_string(form)) expected = Teller(e, form).tell();
    }
    EXPECT_EQ(text(e.rest), text(expected));
    // The last line is the dense product too, so the library and the page are not wrong together.
    EXPECT_EQ(e.rest.empty() ? "" : e.rest.back(), "y: " + join(dense_product(e.m.w, e.x)));
  }
  for (const char* form : {"scatter", "fold", "gray", "dual"}) {
    for (const Alphabet alphabet : kAlphabets) {
      EXPECT_GE(seen[std::string(form) + " " + to_string(alphabet)], 1) << form;
    }
  }
}

TEST(AlgorithmDoc, CountsAreThoseOfACountingRun) {
  int rows = 0;
  for (const Lines& block : blocks_of("rsr-counts")) {
    for (size_t i = 1; i < block.size(); ++i, ++rows) {
      std::istringstream in(block[i]);
      std::string alphabet_name;
      int k = 0;
      int64_t columns = 0;
      in >> alphabet_name >> k >> columns;
      const Alphabet alphabet = alphabet_name == "binary" ? Alphabet::binary : Alphabet::ternary;
      const int64_t patterns = pattern_count(alphabet, k);
      ASSERT_EQ(columns % patterns, 0) << block[i];
      std::ostringstream counted;
      counted << alphabet_name << " " << k << " " << columns;
      int64_t nonzeros = 0;
      std::string by_form;
      for (const Form form : kForms) {
        const CountingRun run = count_full_block(form, alphabet, k, columns / patterns);
        EXPECT_TRUE(run.right);
        EXPECT_EQ(static_cast<double>(run.additions),
                  cell_additions(form, alphabet, k, run.columns, run.groups));
        nonzeros = run.nonzeros;
        by_form += " " + std::to_string(run.additions);
      }
      counted << " " << nonzeros << by_form;
      std::string written;
      std::istringstream words(block[i]);
      for (std::string word; words >> word;) written += (written.empty() ? "" : " ") + word;
      EXPECT_EQ(written, counted.str());
    }
  }
  EXPECT_GE(rows, 6);
}

}  // namespace
}  // namespace rsr::segment
