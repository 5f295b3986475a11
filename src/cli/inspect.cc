// rsr inspect: what a model is made of, and what will compute with it.
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/cpu.h"
#include "cli/commands.h"
#include "cli/model_dir.h"
#include "cli/output.h"
#include "cli/text_table.h"
#include "model/kv_cache.h"
#include "model/weights.h"

namespace rsr::cli {
namespace {

using Json = nlohmann::ordered_json;

struct InspectOptions {
  std::string model;  ///< a directory or an id of the hub
  ContextOptions context;
  bool verify = false;
  bool json = false;
};

/// The matrices of one kind, over all layers.
struct Row {
  std::string name;
  bool dense = false;
  int64_t count = 0;
  int64_t rows = 0;
  int64_t cols = 0;
  int64_t bytes = 0;
  double zero_share = 0;
  std::string kernel;

  int64_t weights() const { return count * rows * cols; }
  double bits_per_weight() const {
    return 8.0 * static_cast<double>(bytes) / static_cast<double>(weights());
  }
};

/// The ternary or the dense matrices of one kind; count 0 when the model has none.
Row row_of(const Context::Impl& context, const model::Model& model, model::Projection kind,
           bool dense) {
  Row row;
  row.name = model::projection_name(kind);
  row.dense = dense;
  for (const model::LayerWeights& layer : model.layers) {
    const model::Linear& linear = layer.at(kind);
    if (linear.is_dense() != dense) continue;
    ++row.count;
    row.rows = linear.rows();
    row.cols = linear.cols();
    row.bytes += linear.bytes();
    row.zero_share += linear.zero_share();
    const std::string kernel = linear.explain_kernel(context);
    if (row.kernel.find(kernel) == std::string::npos) {
      row.kernel += (row.kernel.empty() ? "" : "; ") + kernel;
    }
  }
  if (row.count > 0) row.zero_share /= static_cast<double>(row.count);
  return row;
}

/// All kinds together.
Json totals(const model::Model& model, const std::vector<Row>& rows) {
  int64_t bytes = 0;
  int64_t weights = 0;
  int64_t dense_bytes = 0;
  double zeros = 0;
  for (const Row& row : rows) {
    if (row.dense) {
      dense_bytes += row.bytes;
      continue;
    }
    bytes += row.bytes;
    weights += row.weights();
    zeros += row.zero_share * static_cast<double>(row.weights());
  }
  const model::ModelConfig& c = model.config;
  const auto count = static_cast<double>(std::max<int64_t>(weights, 1));
  return {{"ternary_weights", weights},
          {"ternary_bytes", bytes},
          {"bits_per_weight", 8.0 * static_cast<double>(bytes) / count},
          {"zero_share", zeros / count},
          {"dense_bytes", dense_bytes},
          {"embedding_bytes", model.embedding.bytes()},
          {"head_bytes", model.head.bytes()},
          {"bytes_per_token", model.weight_bytes()},
          {"kv_cache_bytes_per_token", model::KvCache::bytes_per_position(c, model::KvType::f16)}};
}

/// What a prepared model was prepared for; null for any other.
Json prepared_facts(const model::Model& model) {
  if (!model.prepared.has_value()) return nullptr;
  const model::PreparedInfo& info = model.prepared->info;
  return {{"isa", info.isa},
          {"format", info.formats},
          {"writer", info.writer},
          {"verified", model.prepared->check == model::FileCheck::contents}};
}

Json facts(const Context& context, const model::ModelConfig& c) {
  return {{"model_type", c.model_type},
          {"layers", c.num_layers},
          {"hidden_size", c.hidden_size},
          {"intermediate_size", c.intermediate_size},
          {"heads", c.num_heads},
          {"kv_heads", c.num_kv_heads},
          {"head_dim", c.head_dim},
          {"vocab_size", c.vocab_size},
          {"context_length", c.max_positions},
          {"rope_theta", c.rope.theta},
          {"tied_head", c.tied_head},
          {"cpu", base::cpu_name()},
          {"isa", context.isa()},
          {"threads", context.threads()}};
}

Json to_json(const std::vector<Row>& rows) {
  Json list = Json::array();
  for (const Row& row : rows) {
    list.push_back({{"name", row.name},
                    {"kind", row.dense ? "dense" : "ternary"},
                    {"count", row.count},
                    {"rows", row.rows},
                    {"cols", row.cols},
                    {"bits_per_weight", row.bits_per_weight()},
                    {"zero_share", row.zero_share},
                    {"bytes", row.bytes},
                    {"kernel", row.kernel}});
  }
  return list;
}

std::string matrices_text(const std::vector<Row>& rows) {
  std::vector<std::vector<std::string>> lines = {
      {"matrix", "kind", "count", "rows x cols", "bits/weight", "zeros", "bytes", "kernel"}};
  for (const Row& row : rows) {
    lines.push_back({row.name, row.dense ? "dense" : "ternary", std::to_string(row.count),
                     std::to_string(row.rows) + " x " + std::to_string(row.cols),
                     fixed(row.bits_per_weight(), 2),
                     row.dense ? "" : fixed(100 * row.zero_share, 1) + "%", grouped(row.bytes),
                     row.kernel});
  }
  return text_table(lines);
}

std::string facts_text(const Context& context, const model::ModelConfig& c) {
  std::ostringstream out;
  out << c.model_type << ": " << c.num_layers << " layers, hidden " << c.hidden_size
      << ", feed-forward " << c.intermediate_size << ", " << c.num_heads << " heads ("
      << c.num_kv_heads << " for keys and values) of " << c.head_dim << ", vocabulary "
      << c.vocab_size << ", context " << c.max_positions << ", head "
      << (c.tied_head ? "tied" : "of its own") << "\n"
      << base::cpu_name() << ": " << context.isa() << ", " << context.threads() << " threads\n";
  return out.str();
}

std::string prepared_text(const model::Model& model) {
  if (!model.prepared.has_value()) return "";
  const model::PreparedInfo& info = model.prepared->info;
  const bool verified = model.prepared->check == model::FileCheck::contents;
  return "prepared for " + info.isa + " (" + (info.formats.empty() ? "dense" : info.formats) +
         ") by " + info.writer + (verified ? ", every byte checked\n" : "\n");
}

std::string totals_text(const Json& sums) {
  const auto bytes = [&](const char* key) { return grouped(sums[key].get<int64_t>()); };
  std::ostringstream out;
  out << bytes("ternary_weights") << " ternary weights in " << bytes("ternary_bytes") << " bytes ("
      << fixed(sums["bits_per_weight"].get<double>(), 2) << " bits each, "
      << fixed(100 * sums["zero_share"].get<double>(), 1) << "% zeros); dense "
      << bytes("dense_bytes") << " bytes; embedding " << bytes("embedding_bytes") << " bytes\n"
      << "a token reads " << bytes("bytes_per_token") << " bytes of weights and "
      << bytes("kv_cache_bytes_per_token") << " per token of context\n";
  return out.str();
}

int inspect(const InspectOptions& options) {
  const Result<Context> context = Context::create(options.context);
  if (!context.ok()) return fail(context.status());
  const Result<std::string> directory = model_directory(options.model);
  if (!directory.ok()) return fail_unless_interrupted(directory.status());
  const Result<model::Model> model =
      model::load_model(context->impl(), *directory,
                        options.verify ? model::FileCheck::contents : model::FileCheck::quick);
  if (!model.ok()) return fail(model.status());
  print_notice(model->notice);
  std::vector<Row> rows;
  rows.reserve(model::kProjections.size());
  for (const model::Projection kind : model::kProjections) {
    for (const bool dense : {false, true}) {
      const Row row = row_of(context->impl(), *model, kind, dense);
      if (row.count > 0) rows.push_back(row);
    }
  }
  const Json sums = totals(*model, rows);
  Output output;
  if (options.json) {
    const Json all = {{"model", facts(*context, model->config)},
                      {"prepared", prepared_facts(*model)},
                      {"matrices", to_json(rows)},
                      {"totals", sums}};
    output.write(all.dump(2) + "\n");
  } else {
    output.write(facts_text(*context, model->config) + prepared_text(*model) + "\n" +
                 matrices_text(rows) + "\n" + totals_text(sums));
  }
  return output.status().ok() ? kOk : fail(output.status());
}

}  // namespace

void add_inspect(CLI::App& app, Action& action) {
  const auto options = std::make_shared<InspectOptions>();
  CLI::App* command =
      app.add_subcommand("inspect", "Show a model's matrices and the kernels that run them");
  command->footer("bits/weight counts packed weights, index and scales as they lie in memory.");
  add_model(*command, &options->model);
  add_threads(*command, &options->context.threads);
  add_verify(*command, &options->verify);
  command->add_flag("--json", options->json, "One JSON object");
  command->callback([options, &action] { action = [options] { return inspect(*options); }; });
}

}  // namespace rsr::cli
