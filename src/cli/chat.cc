// rsr chat: a conversation, line by line.
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "base/check.h"
#include "cli/commands.h"
#include "cli/generate_flags.h"
#include "cli/interrupt.h"
#include "cli/line_reader.h"
#include "cli/model_dir.h"
#include "cli/output.h"
#include "engine/engine_impl.h"

namespace rsr::cli {
namespace {

constexpr const char* kCommands =
    "/reset         forget the conversation, but not the system message\n"
    "/system TEXT   put a system message in front; without TEXT: take it away\n"
    "/help          this list\n"
    "/exit          end, as Ctrl-D does\n"
    "Ctrl-C ends an answer.\n";

class Chat {
 public:
  Chat(const GenerateFlags& flags, Session session) : flags_(flags), session_(std::move(session)) {}

  Status set_system(std::string_view text) { return session_.set_system(text); }
  Status load_cache() { return load_prompt_cache(flags_.prompt_cache, session_); }
  /// Gives the exit code.
  int save_cache(int code) const { return save_prompt_cache(flags_.prompt_cache, session_, code); }

  /// Until the user or standard output ends it; gives the exit code.
  int run();

 private:
  enum class Next { go_on, end };

  Next take(const std::string& line);
  Next command(std::string_view line);
  Next answer(const std::string& line);
  void complain(const Status& status);

  const GenerateFlags& flags_;
  Session session_;
  LineReader lines_;
  Output output_;
  bool failed_ = false;  // a turn or a command was refused
};

/// The conversation goes on: a person tries something else, and a script sees the exit code.
void Chat::complain(const Status& status) {
  failed_ = true;
  fail(status.code() == ErrorCode::limit_exceeded
           ? base::error(status.code(), status.message(), "; /reset begins anew")
           : status);
}

Chat::Next Chat::command(std::string_view line) {
  const size_t space = line.find(' ');
  const std::string_view name = line.substr(0, space);
  const std::string_view rest =
      space == std::string_view::npos ? std::string_view() : line.substr(space + 1);
  if (name == "/system") {
    if (const Status status = set_system(rest); !status.ok()) complain(status);
  } else if (!rest.empty()) {
    complain(base::error(ErrorCode::invalid_argument, name, " takes no text; see /help"));
  } else if (name == "/exit") {
    return Next::end;
  } else if (name == "/reset") {
    session_.reset();
  } else if (name == "/help") {
    std::fputs(kCommands, stderr);
  } else {
    complain(base::error(ErrorCode::invalid_argument, "unknown command ", name, "; see /help"));
  }
  return Next::go_on;
}

Chat::Next Chat::answer(const std::string& line) {
  bool began = false;
  const auto on_text = [&](std::string_view piece) {
    began = true;
    return output_.write(piece) && !interrupted();
  };
  forget_interrupt();
  const Result<GenerateStats> stats = session_.generate(line, flags_.generate, on_text);
  if (began || stats.ok()) output_.write("\n");
  if (output_.reader_gone() || !output_.status().ok()) return Next::end;
  if (!stats.ok()) {
    complain(stats.status());
  } else if (stats->finish == FinishReason::length &&
             stats->new_tokens != flags_.generate.max_tokens) {
    std::fputs("the context is full; /reset begins anew\n", stderr);
  }
  return Next::go_on;
}

Chat::Next Chat::take(const std::string& line) {
  if (line.empty()) return Next::go_on;
  return line.front() == '/' ? command(line) : answer(line);
}

int Chat::run() {
  catch_every_interrupt();
  if (lines_.terminal()) std::fputs("/help lists the commands, Ctrl-D ends.\n", stderr);
  std::string line;
  while (true) {
    forget_interrupt();
    const LineRead read = lines_.read(&line);
    if (read == LineRead::end) break;
    if (read == LineRead::interrupted) {
      if (!lines_.terminal()) return kInterrupted;
    } else if (take(line) == Next::end) {
      break;
    }
  }
  if (!output_.status().ok()) return fail(output_.status());
  return failed_ && !lines_.terminal() ? kFailed : kOk;
}

/// Without a template there are no turns to speak of.
Status check_template(const Engine& engine) {
  const Engine::Impl& impl = engine.impl();
  if (impl.chat || !impl.chat_error.ok()) return impl.chat_error;
  return base::error(ErrorCode::unsupported, "the model has no chat template");
}

int chat(const GenerateFlags& flags) {
  const Result<Engine> engine = open_engine(flags);
  if (!engine.ok()) return fail_unless_interrupted(engine.status());
  const Status known = check_template(*engine);
  if (!known.ok()) return fail(with_advice(known));
  Chat conversation(flags, engine->session());
  const Status system = conversation.set_system(flags.system);
  if (!system.ok()) return fail(system.with_context("--system"));
  const Status cache = conversation.load_cache();
  if (!cache.ok()) return fail(cache);
  return conversation.save_cache(conversation.run());
}

}  // namespace

void add_chat(CLI::App& app, Action& action) {
  const auto flags = std::make_shared<GenerateFlags>();
  CLI::App* command = app.add_subcommand("chat", "Talk with a language model, line by line");
  command->footer("Commands in the conversation:\n" + std::string(kCommands));
  add_generate_flags(*command, flags.get());
  command->callback([flags, &action] { action = [flags] { return chat(*flags); }; });
}

}  // namespace rsr::cli
