#include "linear/tune_cache.h"

#include <utility>

#include "base/check.h"
#include "base/file.h"
#include "linear/cache_dir.h"
#include "rsr/version.h"
#include "segment/multiply.h"

namespace rsr::linear {
namespace {

using base::error;
using base::Json;
using matrix::Format;

constexpr int64_t kFileFormat = 1;
constexpr size_t kMostBytes = size_t{1} << 20;
constexpr int64_t kMostAhead = 65536;  // bytes; more than L1 holds, and nobody's optimum
constexpr int64_t kMostVectors = int64_t{1} << 31;
constexpr int64_t kMostTile = 64;
constexpr size_t kMostShapes = 4096;
constexpr double kMostGain = 100;
constexpr double kLeastSpeed = 0.01;

/// A member that must be an integer from `low` to `high`.
Result<int64_t> bounded(const Json& object, const char* key, int64_t low, int64_t high) {
  RSR_ASSIGN_OR_RETURN(const int64_t value, base::json_require_int(object, key));
  if (value < low || value > high) {
    return error(ErrorCode::corrupt_data, "\"", key, "\" is ", value, ", not from ", low, " to ",
                 high);
  }
  return value;
}

/// A member that must be a list.
Result<const Json*> list_of(const Json& object, const char* key) {
  const Json* list = base::json_find(object, key);
  if (list == nullptr || !list->is_array()) {
    return error(ErrorCode::corrupt_data, "\"", key, "\" must be a list");
  }
  return list;
}

/// A member that is a number from `low` to kMostGain.
Result<double> gain_of(const Json& line, const char* key, double low) {
  const Json* value = base::json_find(line, key);
  if (value == nullptr) return error(ErrorCode::corrupt_data, "\"", key, "\" is missing");
  const double gain = value->is_number() ? value->get<double>() : -1;
  if (!(gain >= low && gain <= kMostGain)) {
    return error(ErrorCode::corrupt_data, "\"", key, "\" is ", value->dump(),
                 ", not a number from ", low, " to ", kMostGain);
  }
  return gain;
}

Status read_format(const Json& line, TuningTable& table) {
  RSR_ASSIGN_OR_RETURN(const std::string name, base::json_require_string(line, "format"));
  const std::optional<Format> format = matrix::format_from_name(name);
  if (!format) return error(ErrorCode::corrupt_data, "unknown format \"", name, "\"");
  RSR_ASSIGN_OR_RETURN(const int64_t near, bounded(line, "prefetch_near", 0, kMostAhead));
  RSR_ASSIGN_OR_RETURN(const int64_t far, bounded(line, "prefetch_far", 0, kMostAhead));
  RSR_ASSIGN_OR_RETURN(const int64_t gemm, bounded(line, "gemm_batch", 2, kMostVectors));
  RSR_ASSIGN_OR_RETURN(const int64_t tile, bounded(line, "token_tile", 0, kMostTile));
  RSR_ASSIGN_OR_RETURN(const double gain, gain_of(line, "tables_gain", 0));
  table.of(*format) = {
      {static_cast<int>(near), static_cast<int>(far)}, gemm, static_cast<int>(tile), gain};
  return {};
}

Status read_rsr(const Json& line, TuningTable& table) {
  RSR_ASSIGN_OR_RETURN(const std::string bits, base::json_require_string(line, "bits"));
  RSR_ASSIGN_OR_RETURN(const std::string form, base::json_require_string(line, "form"));
  const std::optional<RsrForm> known = form_from_name(form);
  if ((bits != "binary" && bits != "ternary") || !known) {
    return error(ErrorCode::corrupt_data, "unknown index of \"", bits, "\", \"", form, "\"");
  }
  const bool binary = bits == "binary";
  const auto alphabet = binary ? segment::Alphabet::binary : segment::Alphabet::ternary;
  RSR_ASSIGN_OR_RETURN(const int64_t rows, bounded(line, "rows", 1, kMostVectors));
  RSR_ASSIGN_OR_RETURN(const int64_t cols, bounded(line, "cols", 1, kMostVectors));
  RSR_ASSIGN_OR_RETURN(const int64_t k, bounded(line, "k", 1, segment::max_k(*known, alphabet)));
  table.rsr.push_back({binary, *known, rows, cols, static_cast<int>(k)});
  return {};
}

Status read_index(const Json& line, TuningTable& table) {
  RSR_ASSIGN_OR_RETURN(const std::string inputs, base::json_require_string(line, "inputs"));
  RSR_ASSIGN_OR_RETURN(const std::string form, base::json_require_string(line, "form"));
  if ((inputs != "int8" && inputs != "fp32") || (form != "stream" && form != "compiled")) {
    return error(ErrorCode::corrupt_data, "unknown index of \"", inputs, "\", \"", form, "\"");
  }
  RSR_ASSIGN_OR_RETURN(const double speed, gain_of(line, "speed", kLeastSpeed));
  table.set_index_speed({inputs == "fp32", form == "compiled", speed});
  return {};
}

Result<TuningTable> read_entry(const Json& entry, base::Isa isa) {
  TuningTable table(isa);
  RSR_ASSIGN_OR_RETURN(const Json* formats, list_of(entry, "formats"));
  for (const Json& line : *formats) RSR_RETURN_IF_ERROR(read_format(line, table));
  RSR_ASSIGN_OR_RETURN(const Json* rsr, list_of(entry, "rsr"));
  if (rsr->size() > kMostShapes) {
    return error(ErrorCode::limit_exceeded, "\"rsr\" has ", rsr->size(), " lines, at most ",
                 kMostShapes, " are accepted");
  }
  for (const Json& line : *rsr) RSR_RETURN_IF_ERROR(read_rsr(line, table));
  // Earlier files have none.
  if (base::json_find(entry, "indexes") != nullptr) {
    RSR_ASSIGN_OR_RETURN(const Json* indexes, list_of(entry, "indexes"));
    for (const Json& line : *indexes) RSR_RETURN_IF_ERROR(read_index(line, table));
  }
  table.measured = true;
  return table;
}

/// The list of entries of a file of this outline.
Result<const Json*> entries_of(const Json& file) {
  RSR_RETURN_IF_ERROR(bounded(file, "format", kFileFormat, kFileFormat).status());
  return list_of(file, "entries");
}

bool is_string(const Json& entry, const char* key, const std::string& value) {
  const Json* found = base::json_find(entry, key);
  return found != nullptr && found->is_string() && found->get_ref<const std::string&>() == value;
}

bool matches(const Json& entry, const TuneKey& key) {
  return is_string(entry, "cpu", key.cpu) && is_string(entry, "version", key.version) &&
         is_string(entry, "isa", base::isa_name(key.isa));
}

Json to_json(const TuneKey& key, const TuningTable& table) {
  Json formats = Json::array();
  for (const Format format : matrix::kAllFormats) {
    const Tuning& t = table.of(format);
    formats.push_back({{"format", matrix::format_name(format)},
                       {"prefetch_near", t.prefetch.near},
                       {"prefetch_far", t.prefetch.far},
                       {"gemm_batch", t.gemm_batch},
                       {"token_tile", t.token_tile},
                       {"tables_gain", t.tables_gain}});
  }
  Json rsr = Json::array();
  for (const RsrTuning& line : table.rsr) {
    rsr.push_back({{"bits", line.binary ? "binary" : "ternary"},
                   {"form", form_name(line.form)},
                   {"rows", line.rows},
                   {"cols", line.cols},
                   {"k", line.k}});
  }
  Json indexes = Json::array();
  for (const IndexTuning& line : table.indexes) {
    indexes.push_back({{"inputs", line.floats ? "fp32" : "int8"},
                       {"form", line.compiled ? "compiled" : "stream"},
                       {"speed", line.speed}});
  }
  return {{"cpu", key.cpu},
          {"version", key.version},
          {"isa", base::isa_name(key.isa)},
          {"formats", std::move(formats)},
          {"rsr", std::move(rsr)},
          {"indexes", std::move(indexes)}};
}

/// The file's content; null where there is none.
struct CachedFile {
  Json content;
  std::string path;
  std::string failure;  // why there is no content though there is a file
};

CachedFile read_cache() {
  const auto path = tune_cache_path();
  if (!path || !base::file_exists(*path)) return {};
  auto content = base::read_json(*path, kMostBytes);
  if (!content.ok()) {
    std::string failure = content.status().message();
    // The parser quotes what it stumbled over: bytes that are no text must not reach a terminal.
    for (size_t i = path->size(); i < failure.size(); ++i) {
      if (failure[i] < ' ' || failure[i] > '~') failure[i] = '?';
    }
    return {{}, *path, std::move(failure)};
  }
  if (content->is_null()) return {{}, *path, *path + ": is empty"};
  return {std::move(*content), *path, ""};
}

void warn(const std::string& failure, std::string* warning) {
  if (warning != nullptr) *warning = failure + "; not tuned (rsr tune writes the file)";
}

}  // namespace

TuneKey this_machine(base::Isa isa) {
  return {base::cpu_name(), version(), isa};
}

std::optional<std::string> tune_cache_path() {
  const std::optional<std::string> folder = cache_dir();
  if (!folder) return std::nullopt;
  return *folder + "/" + kTuneCacheFile;
}

Result<TuningTable> find_tuning(const Json& file, const TuneKey& key, const std::string& what) {
  const auto entries = entries_of(file);
  if (!entries.ok()) return entries.status().with_context(what);
  for (const Json& entry : **entries) {
    if (!matches(entry, key)) continue;
    auto table = read_entry(entry, key.isa);
    if (!table.ok()) return table.status().with_context(what);
    return table;
  }
  return error(ErrorCode::not_found, what, ": nothing for \"", key.cpu, "\", version ", key.version,
               ", instruction set ", base::isa_name(key.isa));
}

Json with_tuning(const Json& file, const TuneKey& key, const TuningTable& table) {
  Json kept = Json::array();
  if (const auto entries = entries_of(file); entries.ok()) {
    for (const Json& entry : **entries) {
      if (entry.is_object() && !matches(entry, key)) kept.push_back(entry);
    }
  }
  kept.push_back(to_json(key, table));
  return {{"format", kFileFormat}, {"entries", std::move(kept)}};
}

Status write_tuning(const TuneKey& key, const TuningTable& table) {
  const std::optional<std::string> folder = cache_dir();
  if (!folder) {
    return error(ErrorCode::not_found, "no directory to keep the tuning in: set RSR_CACHE_DIR");
  }
  const auto old = base::read_json(*tune_cache_path(), kMostBytes);
  const Json content = with_tuning(old.ok() ? *old : Json(), key, table);
  // Names of processors are bytes of the system's: what is no UTF-8 is replaced, not thrown.
  return write_cache_file(*folder, kTuneCacheFile,
                          content.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

TuningTable tuning_for(base::Isa isa, std::string* warning) {
  static const CachedFile file = read_cache();
  if (!file.failure.empty()) warn(file.failure, warning);
  if (file.content.is_null()) return TuningTable(isa);
  auto table = find_tuning(file.content, this_machine(isa), file.path);
  if (table.ok()) return std::move(*table);
  warn(table.status().message(), warning);
  return TuningTable(isa);
}

}  // namespace rsr::linear
