// rsr fetch: a model of the Hugging Face hub comes into the cache, and stays there for later.
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/commands.h"
#include "cli/model_dir.h"
#include "cli/output.h"

namespace rsr::cli {
namespace {

struct FetchOptions {
  std::string model;
  bool update = false;
  int retries = io::HubOptions().retries;
  int stall_seconds = io::HubOptions().stall_seconds;
  bool json = false;
};

int fetch(const FetchOptions& options) {
  io::HubOptions hub = io::hub_options_from_environment();
  hub.update = options.update;
  hub.retries = options.retries;
  hub.stall_seconds = options.stall_seconds;
  int64_t received = 0;
  const Result<std::string> directory = model_directory(options.model, hub, &received);
  if (!directory.ok()) return fail_unless_interrupted(directory.status());
  const nlohmann::ordered_json json = {
      {"model", options.model}, {"directory", *directory}, {"received_bytes", received}};
  Output output;
  output.write((options.json ? json.dump() : *directory) + "\n");
  return output.status().ok() ? kOk : fail(output.status());
}

}  // namespace

void add_fetch(CLI::App& app, Action& action) {
  const auto options = std::make_shared<FetchOptions>();
  CLI::App* command =
      app.add_subcommand("fetch", "Download a model of the Hugging Face hub, print its directory");
  command->footer(
      "The model goes to the cache that Hugging Face's own programs use; what is there is not "
      "downloaded again, and after an interruption the same command goes on. HF_ENDPOINT, "
      "HF_TOKEN, "
      "HF_HOME, HF_HUB_CACHE and HF_HUB_OFFLINE mean what they mean there.");
  add_model(*command, &options->model);
  command->add_flag("--update", options->update,
                    "Ask where the revision stands now, even when the cache has it");
  command
      ->add_option("--retries", options->retries,
                   "How often to try again when an attempt brought nothing")
      ->check(CLI::Range(0, 1000))
      ->type_name("N");
  command
      ->add_option("--stall", options->stall_seconds,
                   "Seconds below 1 KiB/s after which a transfer is tried again")
      ->check(CLI::Range(1, 86400))
      ->type_name("S");
  command->add_flag("--json", options->json, "One JSON object");
  command->callback([options, &action] { action = [options] { return fetch(*options); }; });
}

}  // namespace rsr::cli
