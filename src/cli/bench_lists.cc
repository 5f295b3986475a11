#include "cli/bench_lists.h"

#include <algorithm>
#include <charconv>
#include <string_view>

#include "base/check.h"

namespace rsr::cli {
namespace {

using Many = std::vector<MatvecBenchOptions>;

/// Each of `all` once for each value, as `set(options, value)` changes it.
template <class Value, class Set>
Many times(const Many& all, const std::vector<Value>& values, const Set& set) {
  Many out;
  for (const MatvecBenchOptions& one : all) {
    for (const Value& value : values) {
      out.push_back(one);
      set(out.back(), value);
    }
  }
  return out;
}

Many shapes_of(const MatvecLists& lists) {
  if (lists.suite.empty()) return {lists.one};
  return times(Many{lists.one}, model_shapes(), [](MatvecBenchOptions& o, const ModelShape& shape) {
    o.rows = shape.rows;
    o.cols = shape.cols;
  });
}

bool contains(const std::vector<std::string>& list, const char* value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

/// A K from 0 to 16 at the end of `text`.
bool parse_k(std::string_view text, int* k) {
  const char* end = text.data() + text.size();
  const auto [stop, failure] = std::from_chars(text.data(), end, *k);
  return failure == std::errc() && stop == end && *k >= 0 && *k <= 16;
}

Status parse_device_kernel(const std::string& text, MatvecBenchOptions& o) {
  const size_t colon = text.find(':');
  o.algorithm = text.substr(0, colon);
  const bool rsr = o.algorithm == "rsr";
  const bool known = rsr || o.algorithm == "automatic" || o.algorithm == "t5";
  if (known && (colon == std::string::npos || (rsr && parse_k(text.substr(colon + 1), &o.k)))) {
    return {};
  }
  return base::error(ErrorCode::invalid_argument, "--kernel: \"", text,
                     "\" is none of automatic, t5, rsr, rsr:K with a K from 0 to 16, which devices "
                     "have");
}

/// Floats have one format, 1.6 bits and RSR have int8 inputs; RSR gives integers.
bool device_has(const MatvecBenchOptions& o) {
  if (o.algorithm == "t5") return o.bits == "ternary" && o.activation != "fp32";
  return o.algorithm != "rsr" || o.activation == "int8";
}

}  // namespace

std::vector<ModelShape> model_shapes() {
  return {{"BitNet-2B-4T", 2560, 2560}, {"BitNet-2B-4T", 640, 2560},  {"BitNet-2B-4T", 6912, 2560},
          {"BitNet-2B-4T", 2560, 6912}, {"Llama3-8B", 4096, 4096},    {"Llama3-8B", 1024, 4096},
          {"Llama3-8B", 14336, 4096},   {"Llama3-8B", 4096, 14336},   {"Falcon3-10B", 3072, 3072},
          {"Falcon3-10B", 1024, 3072},  {"Falcon3-10B", 23040, 3072}, {"Falcon3-10B", 3072, 23040}};
}

Status parse_kernel(const std::string& text, MatvecBenchOptions& o) {
  if (o.device != "cpu") return parse_device_kernel(text, o);
  const size_t first = text.find(':');
  const size_t second = first == std::string::npos ? first : text.find(':', first + 1);
  o.algorithm = text.substr(0, first);
  bool good = o.algorithm == "automatic" || o.algorithm == "multiply-add" || o.algorithm == "rsr" ||
              o.algorithm == "rsr-stream" || o.algorithm == "rsr-compiled";
  if (first != std::string::npos) {
    o.form = text.substr(first + 1, second == std::string::npos ? second : second - first - 1);
    good = good && o.algorithm == "rsr" &&
           (o.form == "scatter" || o.form == "fold" || o.form == "gray");
  }
  if (second != std::string::npos) {
    good = good && parse_k(std::string_view(text).substr(second + 1), &o.k);
  }
  if (good) return {};
  return base::error(ErrorCode::invalid_argument, "--kernel: \"", text,
                     "\" is none of automatic, multiply-add, rsr-stream, rsr-compiled, rsr, "
                     "rsr:FORM, rsr:FORM:K with a form of scatter, fold, gray and K from 0 to 16");
}

Result<Many> expand(const MatvecLists& lists) {
  Status status;
  Many all = shapes_of(lists);
  for (MatvecBenchOptions& o : all) {
    o.cold = contains(lists.caches, "cold");
    o.warm = contains(lists.caches, "warm");
  }
  all = times(all, lists.bits, [](auto& o, const std::string& bits) { o.bits = bits; });
  all = times(all, lists.zeros, [](auto& o, int zeros) { o.zeros = zeros; });
  std::erase_if(
      all, [&](const auto& o) { return o.bits == "binary" && o.zeros != lists.zeros.front(); });
  if (!lists.kernels.empty()) {
    all = times(all, lists.kernels, [&](auto& o, const std::string& kernel) {
      if (Status s = parse_kernel(kernel, o); !s.ok()) status = std::move(s);
    });
  }
  all = times(all, lists.residencies, [](auto& o, const std::string& r) { o.residency = r; });
  all = times(all, lists.activations, [](auto& o, const std::string& a) { o.activation = a; });
  all = times(all, lists.threads, [](auto& o, int threads) { o.threads = threads; });
  all = times(all, lists.batches, [](auto& o, int64_t batch) { o.batch = batch; });
  if (!status.ok()) return status;
  if (lists.one.device != "cpu") std::erase_if(all, [](const auto& o) { return !device_has(o); });
  if (!all.empty()) return all;
  return base::error(ErrorCode::invalid_argument,
                     "--kernel: devices have t5 for int8 and quantised inputs of ternary matrices, "
                     "and rsr for int8 inputs");
}

}  // namespace rsr::cli
