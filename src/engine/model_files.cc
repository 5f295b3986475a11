#include "engine/model_files.h"

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <vector>

#include "base/check.h"
#include "base/file.h"
#include "base/output_file.h"

namespace rsr::engine {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMostBytes = size_t{256} << 20;
constexpr const char* kTemplates = "additional_chat_templates";

/// Weights and what lists them stay behind; so does what was not asked for.
bool is_kept(std::string_view name) {
  if (name.ends_with(".index.json")) return false;
  for (const std::string_view end : {".json", ".jinja", ".txt", ".md", ".model"}) {
    if (name.ends_with(end)) return true;
  }
  for (const std::string_view begin : {"LICENSE", "LICENCE", "NOTICE", "COPYING"}) {
    if (name.starts_with(begin)) return true;
  }
  return false;
}

/// Names of the kept files of a directory, sorted.
Result<std::vector<std::string>> kept_files(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code failed;
  for (fs::directory_iterator entry(directory, failed), end; !failed && entry != end;
       entry.increment(failed)) {
    std::error_code dangling;
    const std::string name = entry->path().filename().string();
    if (is_kept(name) && entry->is_regular_file(dangling)) names.push_back(name);
  }
  if (failed) return base::error(ErrorCode::io_error, directory, ": ", failed.message());
  std::sort(names.begin(), names.end());
  return names;
}

Status copy_kept(const std::string& from, const std::string& to) {
  RSR_ASSIGN_OR_RETURN(const std::vector<std::string> names, kept_files(from));
  for (const std::string& name : names) {
    RSR_ASSIGN_OR_RETURN(const std::string content,
                         base::read_file((fs::path(from) / name).string(), kMostBytes));
    RSR_RETURN_IF_ERROR(base::write_file((fs::path(to) / name).string(), content));
  }
  return {};
}

}  // namespace

Status copy_model_files(const std::string& from, const std::string& to) {
  for (const char* name : {"config.json", "tokenizer.json"}) {
    if (base::file_exists(from + "/" + name)) continue;
    return base::error(ErrorCode::not_found, from, ": ", name,
                       " is missing; without it the prepared model would not run");
  }
  RSR_RETURN_IF_ERROR(copy_kept(from, to));
  const std::string templates = from + "/" + kTemplates;
  std::error_code failed;
  if (!fs::is_directory(templates, failed)) return {};
  const std::string copies = to + "/" + kTemplates;
  if (!fs::create_directory(copies, failed)) {
    return base::error(ErrorCode::io_error, copies, ": ", failed.message());
  }
  return copy_kept(templates, copies);
}

}  // namespace rsr::engine
