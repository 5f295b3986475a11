// A tiny engine for tests, and what they ask of it.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "engine/engine_impl.h"
#include "model/forward.h"
#include "model/kv_cache.h"
#include "model/tiny_model.h"

namespace rsr {

using Ids = std::vector<int32_t>;
using model::TempDirectory;
using model::TinyModel;

inline constexpr const char* kDemo = RSR_SOURCE_DIR "/models/demo/";
inline constexpr int64_t kVocab = 432;  // ids of the demo's tokenizer

/// A small random model that speaks with the demo model's tokenizer and chat template.
class TinyEngine : public testing::Test {
 protected:
  TinyEngine() : tiny_({.vocab = kVocab + 8, .layers = 1, .positions = 700, .tied = false}, 3) {}

  void write() {
    tiny_.write(directory_.path());
    for (const char* name : {"tokenizer.json", "tokenizer_config.json"}) {
      std::filesystem::copy_file(std::string(kDemo) + name, directory_.file(name),
                                 std::filesystem::copy_options::skip_existing);
    }
  }

  Engine open() {
    EngineOptions options;
    options.context.threads = 2;
    return open(options);
  }
  Engine open(const EngineOptions& options) {
    write();
    return Engine::open(directory_.path(), options).value();
  }

  void write_file(const std::string& name, const std::string& text) {
    std::ofstream(directory_.file(name)) << text;
  }

  TempDirectory directory_;
  TinyModel tiny_;
};

inline Ids encode(const Engine& engine, const std::string& text, bool bos) {
  text::EncodeOptions options;
  options.add_special = bos;
  return engine.impl().tokenizer.encode(text, options).value();
}

/// The next `count` ids after `ids`, most likely first, by the forward pass alone.
inline Ids greedy(const Engine& engine, Ids ids, size_t count) {
  const Engine::Impl& impl = engine.impl();
  model::Sequence sequence(model::KvCache::create(impl.model.config, 700, impl.kv_type).value());
  Ids generated;
  while (generated.size() < count) {
    const auto logits =
        model::forward(impl.context.impl(), impl.model, sequence, ids).first(kVocab);
    ids = {static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin())};
    generated.push_back(ids[0]);
  }
  return generated;
}

inline Ids operator+(Ids a, const Ids& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

/// Collects pieces; ends the generation at the piece of number `end`.
struct Collector {
  std::vector<std::string> pieces;
  size_t end = SIZE_MAX;

  TextCallback callback() {
    return [this](std::string_view piece) {
      pieces.emplace_back(piece);
      return pieces.size() < end;
    };
  }
  std::string text() const {
    std::string all;
    for (const std::string& piece : pieces) all += piece;
    return all;
  }
};

inline std::string answer(Session& session, const std::string& prompt,
                          const GenerateOptions& options) {
  Collector collector;
  EXPECT_TRUE(session.generate(prompt, options, collector.callback()).ok());
  return collector.text();
}

inline std::string decode(const Engine& engine, const Ids& ids) {
  return engine.impl().tokenizer.decode(ids, true);
}

}  // namespace rsr
