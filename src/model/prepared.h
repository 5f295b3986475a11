// Prepared models: a directory whose weights are packed for one instruction set, in one file that
// is mapped and read in place (docs/prepared_models.md).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/thread_pool.h"
#include "io/safetensors.h"
#include "model/checked_header.h"
#include "rsr/status.h"

namespace rsr::model {

/// The file's name in its directory.
inline constexpr const char* kPreparedFile = "model.rsr.safetensors";
/// Version of the container that is written and read.
inline constexpr int kPreparedVersion = 1;
/// Tensors of this prefix are no weights: padding, and what later writers may add. A reader passes
/// over those that it does not know.
inline constexpr std::string_view kExtraPrefix = "rsr.";
/// How the name of a packed weight ends: a u8 tensor, the image of linear/weight_header.h.
inline constexpr std::string_view kImageSuffix = ".rsr_weight";

/// The head in eight bits, u8: linear/head_scan_form.h as bytes. A file without it is complete.
inline constexpr std::string_view kHeadScanName = "rsr.head_scan";

/// What "__metadata__" says about the whole file.
struct PreparedInfo {
  std::string isa;      // packed for the kernels of this instruction set
  std::string formats;  // of its weights, such as "t5" or "t2,t3"; empty: all are dense
  std::string writer;   // program and version
};

/// How much of a prepared file is looked at when it is opened.
enum class FileCheck {
  quick,    ///< header, its hash, sizes, the 128 bytes in front of every image
  contents  ///< every byte, by the checksums
};

/// An opened file.
struct PreparedFile {
  PreparedInfo info;
  std::string header_hash;                          // which the checksums of all tensors are in
  FileCheck check = FileCheck::quick;               // that has been done
  std::shared_ptr<const base::MappedFile> mapping;  // keeps every tensor where it is
};

bool is_prepared(const std::string& directory);

/// Metadata of a file: what `info` says, and `checksums` by tensor; the hash still zeros.
std::map<std::string, std::string> prepared_metadata(
    const PreparedInfo& info, const std::map<std::string, uint64_t>& checksums);
/// The checksum that stands in the metadata for a tensor: of an image its first 128 bytes (which
/// hold a checksum of the rest), otherwise of everything.
uint64_t tensor_checksum(std::string_view name, std::span<const std::byte> data);

/// Checks an opened file. Errors name the tensor or the key: no prepared file, another version, a
/// header that does not fit its hash, a tensor that does not fit its checksum. The threads of the
/// pool share a check of the contents.
Result<PreparedFile> check_prepared(const io::SafetensorsFile& file, FileCheck check,
                                    base::ThreadPool& pool);

}  // namespace rsr::model
