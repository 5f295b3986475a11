#include "cli/model_dir.h"

#include <cstdio>
#include <utility>

#include "base/file.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/progress_bar.h"

namespace rsr::cli {

CLI::Option* add_model(CLI::App& command, std::string* model) {
  return command
      .add_option("model", *model,
                  "Model directory (config.json, safetensors), or an id of the Hugging Face hub: "
                  "org/name[@revision]")
      ->required()
      ->type_name("MODEL");
}

Result<std::string> model_directory(const std::string& model, io::HubOptions options,
                                    int64_t* received) {
  if (base::file_exists(model)) return model;
  ProgressBar bar;
  options.notice = [&bar](const std::string& text) {
    bar.clear();
    std::fprintf(stderr, "warning: %s\n", text.c_str());
  };
  catch_interrupt();
  Result<std::string> directory =
      io::resolve_model(model, options, [&](const io::HubProgress& progress) {
        if (received != nullptr) *received = progress.received;
        bar.show(progress);
        return !interrupted();
      });
  release_interrupt();
  return directory;
}

int fail_unless_interrupted(const Status& status) {
  return interrupted() ? kInterrupted : fail(status);
}

}  // namespace rsr::cli
