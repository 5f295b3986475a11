// Prepared directories: complete, atomic, refused where they would destroy something.
#include <gtest/gtest.h>

#include <set>

#include "base/file.h"
#include "engine/tiny_engine.h"
#include "model/prepared.h"
#include "rsr/engine.h"

namespace rsr {
namespace {

namespace fs = std::filesystem;

class PrepareModel : public TinyEngine {
 protected:
  PrepareModel() {
    write();
    write_file("generation_config.json", R"({"eos_token_id": 2})");
    write_file("chat_template.jinja", "{{ messages[0].content }}");
    write_file("README.md", "# tiny");
    write_file("pytorch_model.bin", "old weights");
    write_file("model.safetensors.index.json", "{}");
    fs::create_directory(directory_.file("additional_chat_templates"));
    write_file("additional_chat_templates/tool.jinja", "x");
  }
  Status prepare(const PrepareModelOptions& options = {}) const {
    return prepare_model(directory_.path(), target_, options).status();
  }
  void expect_refused(const std::string& source, const std::string& target,
                      const std::string& part) const {
    const Status status = prepare_model(source, target, {}).status();
    EXPECT_FALSE(status.ok());
    EXPECT_NE(status.message().find(part), std::string::npos) << status.message();
    EXPECT_FALSE(fs::exists(target + ".rsr-partial"));
  }

  TempDirectory parent_;
  std::string target_ = parent_.file("prepared");
};

std::string answer(const Engine& engine) {
  std::string text;
  Session session = engine.session();
  const auto stats =
      session.generate("one, two,", {.max_tokens = 20, .raw = true}, [&](std::string_view piece) {
        text += piece;
        return true;
      });
  EXPECT_TRUE(stats.ok()) << stats.status().message();
  return text;
}

TEST_F(PrepareModel, TheDirectoryIsCompleteWithoutItsSource) {
  const PreparedModel made = prepare_model(directory_.path() + "/", target_ + "/", {}).value();
  EXPECT_EQ(made.layers, 1);
  EXPECT_GT(made.seconds, 0);
  EXPECT_EQ(made.bytes, static_cast<int64_t>(fs::file_size(target_ + "/" + model::kPreparedFile)));
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(target_)) names.insert(entry.path().filename());
  EXPECT_EQ(names,
            (std::set<std::string>{"README.md", "additional_chat_templates", "chat_template.jinja",
                                   "config.json", "generation_config.json", "model.rsr.safetensors",
                                   "tokenizer.json", "tokenizer_config.json"}));
  const std::string wanted = answer(open());
  fs::remove_all(directory_.file("model.safetensors"));
  for (const bool verify : {false, true}) {
    const auto engine = Engine::open(target_, {.verify = verify});
    ASSERT_TRUE(engine.ok()) << engine.status().message();
    EXPECT_EQ(engine->notice(), "");
    EXPECT_EQ(answer(*engine), wanted);
  }
}

TEST_F(PrepareModel, RefusesWhatWouldDestroySomething) {
  ASSERT_TRUE(prepare().ok());
  expect_refused(directory_.path(), target_, "is there already");
  expect_refused(directory_.path(), directory_.path(), "is or holds the model");
  expect_refused(target_, target_ + "2", "is a prepared model already");
  expect_refused(directory_.file("config.json"), target_ + "2", "is no directory");
  expect_refused(directory_.file("nothing"), target_ + "2", "no such directory");
  expect_refused(directory_.path(), parent_.file("no/where"), "No such file or directory");
  fs::create_directory(parent_.file("papers"));
  std::ofstream(parent_.file("papers/thesis")) << "x";
  for (const std::string& victim : {parent_.file("papers"), parent_.file("papers/thesis")}) {
    const Status status = prepare_model(directory_.path(), victim, {.replace = true}).status();
    EXPECT_NE(status.message().find("is not replaced"), std::string::npos) << status.message();
  }
  EXPECT_TRUE(fs::exists(parent_.file("papers/thesis")));
  fs::create_directory_symlink(directory_.path(), parent_.file("link"));
  const Status status =
      prepare_model(directory_.path(), parent_.file("link"), {.replace = true}).status();
  EXPECT_NE(status.message().find("is or holds the model"), std::string::npos);
}

TEST_F(PrepareModel, APreparedModelIsReplacedWhileItIsInUse) {
  ASSERT_TRUE(prepare({.isa = "reference"}).ok());
  const Engine old = Engine::open(target_).value();
  const std::string wanted = answer(old);
  ASSERT_TRUE(prepare({.isa = "avx512vbmi", .replace = true}).ok());
  EXPECT_EQ(answer(old), wanted);
  EXPECT_EQ(answer(Engine::open(target_).value()), wanted);
  EXPECT_FALSE(fs::exists(target_ + ".rsr-partial"));
}

TEST_F(PrepareModel, MissingFilesAreNamedAndNothingStays) {
  for (const char* name : {"tokenizer.json", "config.json"}) {
    fs::rename(directory_.file(name), directory_.file("hidden"));
    const Status status = prepare();
    EXPECT_EQ(status.code(), ErrorCode::not_found);
    EXPECT_EQ(status.message(), directory_.path() + ": " + name +
                                    " is missing; without it the prepared model would not run");
    fs::rename(directory_.file("hidden"), directory_.file(name));
  }
  fs::remove(directory_.file("model.safetensors"));
  EXPECT_FALSE(prepare().ok());
  EXPECT_TRUE(fs::is_empty(parent_.path()));
}

TEST_F(PrepareModel, CancellingLeavesNothingOrTheOldOne) {
  const auto cancel = [](int64_t, int64_t) { return false; };
  EXPECT_EQ(prepare({.on_progress = cancel}).code(), ErrorCode::cancelled);
  EXPECT_TRUE(fs::is_empty(parent_.path()));
  ASSERT_TRUE(prepare().ok());
  EXPECT_EQ(prepare({.replace = true, .on_progress = cancel}).code(), ErrorCode::cancelled);
  EXPECT_TRUE(Engine::open(target_).ok());
  EXPECT_EQ(prepare({.isa = "abacus", .replace = true}).message().substr(0, 3), "isa");
}

}  // namespace
}  // namespace rsr
