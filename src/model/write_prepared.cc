#include "model/write_prepared.h"

#include <new>
#include <optional>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/file.h"
#include "model/load_linear.h"
#include "model/prepared_writer.h"
#include "model/tensor_names.h"
#include "model/weights.h"

namespace rsr::model {
namespace {

/// Memory that linears may take which are packed at the same time.
constexpr int64_t kBatchBytes = int64_t{512} << 20;

/// About what packing takes at its worst: the source's pages, floats, values, lines and their
/// image.
int64_t packing_bytes(const LinearModule& module) {
  const io::Tensor* source = module.store.find(weight_name(module.name));
  if (source == nullptr) return 0;  // an error, which is found later
  const int64_t weights = module.rows * module.cols;
  const auto bytes = static_cast<int64_t>(source->data.size());
  return bytes + weights * (source->dtype == io::DType::u8 ? 1 : 6);
}

/// One model on its way into one file.
struct Job {
  Context::Impl& context;
  const ModelConfig& config;
  const io::TensorStore& store;
  base::Isa isa;
  PreparedWriter& writer;
};

/// The pages of a tensor that has been written, and the progress.
Status done_with(const Job& job, const std::string& name) {
  const io::Tensor* tensor = job.store.find(name);
  if (tensor == nullptr) return {};
  base::release_pages(tensor->data);
  return job.writer.advance(static_cast<int64_t>(tensor->data.size()));
}

Status write_norm(const Job& job, const std::string& name, int64_t size) {
  RSR_RETURN_IF_ERROR(load_norm(job.store, name, size).status());
  RSR_RETURN_IF_ERROR(job.writer.copy(name, *job.store.find(name)));
  return done_with(job, name);
}

/// The head once more in eight bits, where it is large enough for a scan.
Status write_head_scan(const Job& job, const linear::Dense& head) {
  if (head.rows * head.cols < linear::kWorthAScan) return {};
  const auto form = linear::make_head_scan_form(job.context, head);
  return form.has_value() ? job.writer.write(*form) : Status();
}

/// The embedding or the head; `from` may be another name of it.
Status write_table(const Job& job, const std::string& name, const std::string& from) {
  {
    RSR_ASSIGN_OR_RETURN(const DenseTable table,
                         load_table(job.context, job.config, job.store, from));
    RSR_RETURN_IF_ERROR(job.writer.write(name, table));
    const bool is_head = name == kHead || job.config.tied_head;
    if (is_head) RSR_RETURN_IF_ERROR(write_head_scan(job, table.view));
  }
  return done_with(job, from);
}

/// Linears packed side by side; the error of the first that has one.
Result<std::vector<Linear>> pack(const Job& job, std::span<const LinearModule> modules) {
  std::vector<std::optional<Result<Linear>>> packed(modules.size());
  job.context.pool.parallel_for(static_cast<int64_t>(modules.size()), [&](base::Range range) {
    for (auto i = static_cast<size_t>(range.begin); i < static_cast<size_t>(range.end); ++i) {
      try {
        packed[i].emplace(load_linear(modules[i]));
      } catch (const std::bad_alloc&) {  // nothing may be thrown through the pool
        packed[i].emplace(Status(ErrorCode::limit_exceeded, "out of memory"));
      }
    }
  });
  std::vector<Linear> linears;
  for (auto& one : packed) {
    if (!one->ok()) return one->status();
    linears.push_back(std::move(*one).value());
  }
  return linears;
}

Status write_linears(const Job& job, std::span<const LinearModule> modules) {
  RSR_ASSIGN_OR_RETURN(const std::vector<Linear> linears, pack(job, modules));
  for (size_t i = 0; i < modules.size(); ++i) {
    const std::string& name = modules[i].name;
    RSR_RETURN_IF_ERROR(job.writer.write(name, linears[i]));
    RSR_RETURN_IF_ERROR(done_with(job, weight_name(name)));
    if (linears[i].norm.empty()) continue;
    RSR_RETURN_IF_ERROR(write_norm(job, linear_norm_name(name), modules[i].cols));
  }
  return {};
}

Status write_layer_linears(const Job& job, int64_t layer) {
  std::vector<LinearModule> batch;
  int64_t bytes = 0;
  for (const Projection projection : kProjections) {
    const auto [rows, cols] = projection_shape(job.config, projection);
    const LinearModule module = {.store = job.store,
                                 .quantization = job.config.quantization,
                                 .name = layer_name(layer, projection_name(projection)),
                                 .rows = rows,
                                 .cols = cols,
                                 .isa = job.isa};
    const int64_t more = packing_bytes(module);
    if (!batch.empty() && bytes + more > kBatchBytes) {
      RSR_RETURN_IF_ERROR(write_linears(job, batch));
      batch.clear();
      bytes = 0;
    }
    batch.push_back(module);
    bytes += more;
  }
  return write_linears(job, batch);
}

Status write_all(const Job& job) {
  RSR_RETURN_IF_ERROR(write_table(job, kEmbedding, kEmbedding));
  if (!job.config.tied_head) {
    RSR_RETURN_IF_ERROR(write_table(job, kHead, head_name(job.store)));
  }
  for (int64_t layer = 0; layer < job.config.num_layers; ++layer) {
    for (const auto& [name, size] : layer_norms(job.config)) {
      RSR_RETURN_IF_ERROR(write_norm(job, layer_name(layer, name), size));
    }
    RSR_RETURN_IF_ERROR(write_layer_linears(job, layer));
  }
  return write_norm(job, kFinalNorm, job.config.hidden_size);
}

int64_t source_bytes(const ModelConfig& config, const io::TensorStore& store) {
  int64_t bytes = 0;
  for (const auto& [name, tensor] : store.tensors()) {
    const bool tied_copy = config.tied_head && (name == kHead || name == kOtherHead);
    if (!tied_copy) bytes += static_cast<int64_t>(tensor.data.size());
  }
  return bytes;
}

Result<WrittenModel> write_store(Context::Impl& context, const ModelConfig& config,
                                 const io::TensorStore& store, PreparedWriter& writer,
                                 base::Isa isa) {
  RSR_RETURN_IF_ERROR(check_no_unexpected(config, store, false));
  RSR_RETURN_IF_ERROR(write_all({context, config, store, isa, writer}));
  RSR_ASSIGN_OR_RETURN(WrittenModel written, writer.finish(base::isa_name(isa)));
  written.layers = config.num_layers;
  return written;
}

}  // namespace

Result<WrittenModel> write_prepared(Context::Impl& context, const std::string& source,
                                    const std::string& path, base::Isa isa,
                                    const Progress& progress) {
  RSR_ASSIGN_OR_RETURN(const ModelConfig config, read_config(source));
  RSR_ASSIGN_OR_RETURN(const io::TensorStore store, io::TensorStore::open(source));
  RSR_ASSIGN_OR_RETURN(PreparedWriter writer,
                       PreparedWriter::create(path, expected_names(config, true),
                                              source_bytes(config, store), progress));
  Result<WrittenModel> written = write_store(context, config, store, writer, isa);
  // Errors of the disk name their file.
  const ErrorCode code = written.status().code();
  const bool of_source =
      code != ErrorCode::ok && code != ErrorCode::io_error && code != ErrorCode::cancelled;
  return of_source ? written.status().with_context(source) : std::move(written);
}

}  // namespace rsr::model
