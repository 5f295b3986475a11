// Prepared files: what is in them, damage of every kind, machines with other instructions.
#include "model/prepared.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <cstring>
#include <fstream>
#include <functional>

#include "base/file.h"
#include "linear/weight.h"
#include "model/forward.h"
#include "model/tiny_model.h"
#include "model/write_prepared.h"

namespace rsr::model {
namespace {

const char* best_isa() {
  return base::isa_name(base::detect_isa());
}

/// A tiny model and its prepared directory.
class Prepared : public testing::Test {
 protected:
  // Sizes that are no multiples of 64 bytes need padding.
  Prepared() : tiny_({.intermediate = 90, .layers = 1, .tied = false}) {
    tiny_.write(source_.path());
    std::ofstream(directory_.file("config.json")) << tiny_.config.dump();
    EXPECT_TRUE(write(base::detect_isa()).ok());
    bytes_ = base::read_file(path_, size_t{1} << 24).value();
  }

  Result<WrittenModel> write(base::Isa isa, const Progress& progress = {}) {
    std::filesystem::remove(path_);
    return write_prepared(context_.impl(), source_.path(), path_, isa, progress);
  }
  void put(const std::string& bytes) const {
    std::ofstream(path_, std::ios::binary)
        .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }
  Result<Model> load(FileCheck check = FileCheck::quick) const {
    return load_model(context_.impl(), directory_.path(), check);
  }
  size_t header_size() const {
    uint64_t size = 0;
    std::memcpy(&size, bytes_.data(), sizeof size);
    return size;
  }
  /// What loading says when `from` in the header is `to`, of the same length, with the right hash.
  std::string message_after(const std::string& from, const std::string& to,
                            FileCheck check = FileCheck::quick) const {
    std::string header = bytes_.substr(8, header_size());
    const size_t at = header.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    header.replace(at, from.size(), to);
    put(bytes_.substr(0, 8) + with_header_hash(header) + bytes_.substr(8 + header_size()));
    return load(check).status().message();
  }
  std::string place() const { return path_ + ": "; }

  Context context_ = Context::create({.threads = 2}).value();
  TinyModel tiny_;
  TempDirectory source_;
  TempDirectory directory_;
  std::string path_ = directory_.file(kPreparedFile);
  std::string bytes_;
};

std::vector<float> logits(const Context& context, const Model& model) {
  Sequence sequence(KvCache::create(model.config, 16).value());
  const std::vector<int32_t> ids = {1, 2, 3};
  const auto found = forward(context.impl(), model, sequence, ids, LogitsOf::all);
  return {found.begin(), found.end()};
}

TEST_F(Prepared, WeightsLieInTheMappingAligned) {
  const Model model = load().value();
  const auto file = model.prepared->mapping->bytes();
  const auto lies_in = [&](const void* at) {
    return at >= file.data() && at < file.data() + file.size();
  };
  for (const Linear& linear : model.layers[0].projections) {
    const Weight& weight = std::get<Int8Ternary>(linear.matrix).weight;
    const uint8_t* lines = std::get<matrix::Packed>(weight.impl().packed).lines();
    EXPECT_TRUE(lies_in(lines));
    EXPECT_EQ((reinterpret_cast<const std::byte*>(lines) - file.data()) % 64, 0);
  }
  EXPECT_TRUE(lies_in(model.embedding.view.weight));
  EXPECT_TRUE(lies_in(model.head.view.weight));
  EXPECT_EQ(model.prepared->info.isa, best_isa());
}

TEST(PreparedHead, ALargeHeadBringsItsScanFormAlong) {
  const Context context = Context::create({.threads = 2}).value();
  for (const bool tied : {true, false}) {
    // 2.2 million numbers, enough for a scan to be worth it.
    const TinyModel tiny({.vocab = 35000, .layers = 1, .tied = tied});
    const TempDirectory source;
    const TempDirectory directory;
    tiny.write(source.path());
    std::ofstream(directory.file("config.json")) << tiny.config.dump();
    const std::string path = directory.file(kPreparedFile);
    ASSERT_TRUE(write_prepared(context.impl(), source.path(), path, base::detect_isa(), {}).ok());
    for (const FileCheck check : {FileCheck::quick, FileCheck::contents}) {
      const Model model = load_model(context.impl(), directory.path(), check).value();
      ASSERT_TRUE(model.head_scan.has_value());
      const auto file = model.prepared->mapping->bytes();
      const auto* lines = reinterpret_cast<const std::byte*>(model.head_scan->lines.data());
      EXPECT_TRUE(lines >= file.data() && lines < file.data() + file.size());
      const auto made = linear::make_head_scan_form(context.impl(), model.head.view);
      const auto same = [](const auto& a, const auto& b) {
        return std::equal(a.data(), a.data() + a.size(), b.data(), b.data() + b.size());
      };
      EXPECT_TRUE(same(made->lines, model.head_scan->lines));
      EXPECT_TRUE(same(made->row_values, model.head_scan->row_values));
      EXPECT_TRUE(same(made->column_factors, model.head_scan->column_factors));
      EXPECT_EQ(made->largest_norm, model.head_scan->largest_norm);
    }
  }
}

TEST_F(Prepared, TheFileIsTheSameEveryTime) {
  const WrittenModel written = write(base::detect_isa()).value();
  EXPECT_EQ(base::read_file(path_, size_t{1} << 24).value(), bytes_);
  EXPECT_EQ(written.bytes, static_cast<int64_t>(bytes_.size()));
  EXPECT_EQ(written.layers, 1);
}

/// Every changed bit of what the quick check covers, and every changed byte of the rest.
TEST_F(Prepared, DamageIsFound) {
  const size_t data_at = 8 + header_size();
  for (size_t at = 0; at < bytes_.size(); at += at < data_at ? 7 : 61) {
    std::string damaged = bytes_;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << at % 8));
    put(damaged);
    const auto all = load(FileCheck::contents);
    ASSERT_FALSE(all.ok()) << at;
    ASSERT_TRUE(all.status().message().starts_with(place())) << all.status().message();
    const auto quick = load();
    ASSERT_TRUE(at >= data_at || !quick.ok()) << at;
    if (quick.ok()) logits(context_, *quick);  // whatever comes out, nothing is read outside
  }
}

TEST_F(Prepared, AHeaderOfAnImageIsCheckedQuickly) {
  for (size_t at = bytes_.find("RSRWGHT"); at != std::string::npos;
       at = bytes_.find("RSRWGHT", at + 1)) {
    for (const size_t byte : {0, 30, 33, 60, 89, 119, 127}) {
      std::string damaged = bytes_;
      damaged[at + byte] ^= 1;
      put(damaged);
      EXPECT_NE(load().status().message().find("was changed: its header has the checksum"),
                std::string::npos);
    }
  }
}

TEST_F(Prepared, ATruncatedFileIsNamed) {
  for (size_t size = 0; size < bytes_.size(); size += size < 10 ? 1 : 997) {
    put(bytes_.substr(0, size));
    const Status status = load().status();
    ASSERT_TRUE(status.message().starts_with(place())) << status.message();
    ASSERT_EQ(status.code(), ErrorCode::corrupt_data) << status.message();
  }
  put(bytes_ + "x");
  EXPECT_EQ(load().status().code(), ErrorCode::corrupt_data);
}

TEST_F(Prepared, RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(message_after("\"rsr.container\":\"1\"", "\"rsr.container\":\"2\""),
            place() +
                "has version 2 of the container, this rsr reads 1: prepare the model again "
                "from its original directory");
  EXPECT_EQ(message_after("\"rsr.container\":", "\"rsr.contained\":"),
            place() + "is no prepared model: \"__metadata__\" has no \"rsr.container\"");
  EXPECT_EQ(message_after("\"rsr.isa\":", "\"rsr.isb\":"),
            place() + "\"__metadata__\" has no \"rsr.isa\"");
  EXPECT_EQ(message_after("\"rsr.writer\":\"rsr ", "\"rsr.writer\":\"\\n\\n"),
            place() + "\"rsr.writer\" in \"__metadata__\" is no plain text");
  EXPECT_NE(message_after("rsr.checksum.model.layers.0.mlp.up_proj.rsr_weight",
                          "rsr.checksun.model.layers.0.mlp.up_proj.rsr_weight")
                .find("has no \"rsr.checksum.model.layers.0.mlp.up_proj.rsr_weight\""),
            std::string::npos);
  EXPECT_NE(message_after("\"model.norm.weight\":", "\"model.norm.weighs\":").find("no place"),
            std::string::npos);
}

TEST_F(Prepared, ExtraTensorsArePassedOver) {
  ASSERT_NE(bytes_.find("\"rsr.padding.0\""), std::string::npos);
  EXPECT_EQ(message_after("\"rsr.padding.0\"", "\"rsr.later.one\""), "");
}

TEST_F(Prepared, ConfigAndFileMustFit) {
  tiny_.config["intermediate_size"] = 96;
  std::ofstream(directory_.file("config.json")) << tiny_.config.dump();
  const Status status = load().status();
  EXPECT_EQ(status.code(), ErrorCode::corrupt_data);
  EXPECT_NE(status.message().find("config.json asks for"), std::string::npos);
}

TEST_F(Prepared, ForEveryMachineOnEveryMachine) {
  const auto plain = load_model(context_.impl(), source_.path()).value();
  const std::vector<float> wanted = logits(context_, plain);
  for (const base::Isa written_for : base::kAllIsas) {
    ASSERT_TRUE(write(written_for).ok());
    for (const base::Isa isa : base::kAllIsas) {
      if (!base::has_isa(isa)) continue;
      const Context context = Context::create({.threads = 1, .isa = base::isa_name(isa)}).value();
      const auto model = load_model(context.impl(), directory_.path());
      ASSERT_TRUE(model.ok()) << model.status().message();
      const bool repacked = written_for >= base::Isa::avx512vbmi && isa < base::Isa::avx512vbmi &&
                            isa != base::Isa::reference;
      EXPECT_EQ(model->notice.empty(), !repacked) << model->notice;
      if (repacked) {
        EXPECT_EQ(model->notice, std::string("the model was prepared for ") +
                                     base::isa_name(written_for) +
                                     ": 7 matrices repacked from t5 to t2: instruction set " +
                                     base::isa_name(isa) +
                                     " has no kernel for t5; preparing it for this machine saves "
                                     "that");
      }
      EXPECT_EQ(logits(context, *model), wanted);
    }
  }
}

TEST_F(Prepared, CancelledWorkLeavesNoModel) {
  int64_t calls = 0;
  const auto count = [&](int64_t done, int64_t total) {
    EXPECT_LE(done, total);
    ++calls;
    return true;
  };
  ASSERT_TRUE(write(base::detect_isa(), count).ok());
  for (int64_t stop = 0; stop < calls; stop += 3) {
    int64_t call = 0;
    const auto status = write(base::detect_isa(), [&](int64_t, int64_t) { return call++ != stop; });
    EXPECT_EQ(status.status().code(), ErrorCode::cancelled);
    EXPECT_FALSE(load().ok());
  }
}

TEST_F(Prepared, AFullDiskIsNamedWhereverItComes) {
  const auto old_action = std::signal(SIGXFSZ, SIG_IGN);
  rlimit old = {};
  getrlimit(RLIMIT_FSIZE, &old);
  for (size_t limit = 0; limit < bytes_.size(); limit += 1999) {
    const rlimit small = {.rlim_cur = limit, .rlim_max = old.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
    const Status status = write(base::detect_isa()).status();
    setrlimit(RLIMIT_FSIZE, &old);
    EXPECT_EQ(status.code(), ErrorCode::io_error);
    EXPECT_EQ(status.message(), path_ + ": File too large");
    EXPECT_FALSE(load().ok());
  }
  std::signal(SIGXFSZ, old_action);
}

TEST_F(Prepared, BadSourcesAreNamed) {
  tiny_.tensors["model.norm.weight"].bytes.replace(0, 2, std::string("\x80\x7f", 2));
  tiny_.write(source_.path());
  EXPECT_EQ(write(base::detect_isa()).status().message(),
            source_.path() + ": model.norm.weight: holds inf");
}

}  // namespace
}  // namespace rsr::model
