// Keys and values in files: the same bits go on from them, and nothing else is taken for them.
#include "model/kv_file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <cstring>
#include <fstream>

#include "base/file.h"
#include "model/forward.h"
#include "model/tiny_model.h"

namespace rsr::model {
namespace {

constexpr int64_t kPositions = 300;
using Floats = std::vector<float>;

class KvFiles : public testing::TestWithParam<KvType> {
 protected:
  // A head of 24 is no whole number of vectors.
  KvFiles() : tiny_({.heads = 4, .kv_heads = 2, .head_dim = 24, .positions = kPositions}) {
    tiny_.write(directory_.path());
    for (int i = 0; i < kPositions; ++i) ids_.push_back(i * 7 % 47);
  }

  KvOwner owner() const {
    KvOwner owner = kv_owner(model_.config, GetParam());
    owner.model = "tiny, weights 0";
    owner.arithmetic = "1, rsr 0";
    return owner;
  }
  Sequence sequence(int64_t positions = kPositions) const {
    return Sequence(KvCache::create(model_.config, positions, GetParam()).value());
  }
  /// Logits of ids [first, first + count).
  Floats read(Sequence& sequence, size_t first, size_t count) const {
    const auto tokens = std::span(ids_).subspan(first, count);
    const auto found = forward(context_.impl(), model_, sequence, tokens, LogitsOf::all);
    return {found.begin(), found.end()};
  }
  Status write(const Sequence& from, size_t count) const {
    return write_kv_file(path_, owner(), from.cache, std::span(ids_).first(count));
  }
  std::string content() const { return base::read_file(path_, size_t{1} << 24).value(); }
  void put(const std::string& bytes) const { std::ofstream(path_, std::ios::binary) << bytes; }
  /// What opening, or else reading, says.
  Status check() const {
    const auto file = KvFile::open(path_, owner());
    if (!file.ok()) return file.status();
    const Sequence into = sequence();
    return file->read(context_.impl().pool, static_cast<int64_t>(file->ids().size()), into.cache);
  }
  std::string message_after(const std::string& bytes, const std::string& from,
                            const std::string& to) const {
    uint64_t size = 0;
    std::memcpy(&size, bytes.data(), sizeof size);
    std::string header = bytes.substr(8, size);
    const size_t at = header.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    EXPECT_EQ(from.size(), to.size());
    header.replace(at, from.size(), to);
    put(bytes.substr(0, 8) + with_header_hash(header) + bytes.substr(8 + size));
    const std::string message = check().message();
    EXPECT_EQ(message.find(path_ + ": "), 0u) << message;
    return message.substr(std::min(message.size(), path_.size() + 2));
  }

  Context context_ = Context::create({.threads = 3}).value();
  TinyModel tiny_;
  TempDirectory directory_;
  std::string path_ = directory_.file("prompt.kv");
  std::vector<int32_t> ids_;
  Model model_ = [this] {
    tiny_.write(directory_.path());
    return load_model(context_.impl(), directory_.path()).value();
  }();
};

TEST_P(KvFiles, LogitsGoOnBitForBit) {
  Sequence whole = sequence();
  const Floats wanted = read(whole, 0, kPositions);
  const auto vocab = static_cast<size_t>(model_.config.vocab_size);
  for (const size_t count : {1, 15, 16, 17, 255, 256, 299}) {
    ASSERT_TRUE(write(whole, count).ok());
    for (const size_t taken : {count, count - 1, count / 2}) {
      // As large as it must be, or larger: the places in memory differ.
      for (const int64_t positions : {kPositions, kPositions + 100}) {
        Sequence next = sequence(positions);
        const auto file = KvFile::open(path_, owner());
        ASSERT_TRUE(file.ok()) << file.status().message();
        EXPECT_TRUE(std::equal(file->ids().begin(), file->ids().end(), ids_.begin(),
                               ids_.begin() + static_cast<ptrdiff_t>(count)));
        ASSERT_TRUE(file->read(context_.impl().pool, static_cast<int64_t>(taken), next.cache).ok());
        next.length = static_cast<int64_t>(taken);
        const size_t first = std::min<size_t>(3, kPositions - taken);
        Floats found = read(next, taken, first);
        const Floats rest = taken + first < kPositions
                                ? read(next, taken + first, kPositions - taken - first)
                                : Floats();
        found.insert(found.end(), rest.begin(), rest.end());
        ASSERT_EQ(found,
                  Floats(wanted.begin() + static_cast<ptrdiff_t>(taken * vocab), wanted.end()))
            << count << " written, " << taken << " taken";
      }
    }
  }
}

TEST_P(KvFiles, WhatLiesBehindTheTokensIsNotWritten) {
  Sequence whole = sequence();
  read(whole, 0, kPositions);
  ASSERT_TRUE(write(whole, 37).ok());
  const std::string of_more = content();
  Sequence part = sequence(40);
  read(part, 0, 37);
  ASSERT_TRUE(write(part, 37).ok());
  EXPECT_EQ(content(), of_more);
}

TEST_P(KvFiles, EveryDamageIsFoundAndTheCacheStays) {
  Sequence whole = sequence();
  read(whole, 0, 20);
  ASSERT_TRUE(write(whole, 20).ok());
  const std::string bytes = content();
  uint64_t header = 0;
  std::memcpy(&header, bytes.data(), sizeof header);
  size_t padding = 0;
  for (size_t at = 0; at < bytes.size(); at += at < 8 + header ? 37 : 97) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << at % 8));
    put(damaged);
    const Status status = check();
    padding += status.ok() ? 1 : 0;
    EXPECT_TRUE(status.ok() || status.message().starts_with(path_ + ": ")) << status.message();
  }
  EXPECT_LE(padding, 10u);  // bytes that nothing reads
  for (size_t size = 0; size < bytes.size(); size += 211) {
    put(bytes.substr(0, size));
    EXPECT_FALSE(check().ok()) << size;
  }
  put(bytes + "x");
  EXPECT_FALSE(check().ok());
}

TEST_P(KvFiles, AFailedReadLeavesTheCacheAsItWas) {
  Sequence other = sequence();
  ids_[0] = 5;
  read(other, 0, 30);
  ASSERT_TRUE(write(other, 30).ok());
  std::string bytes = content();
  bytes[bytes.size() - 1] ^= 1;  // the last layer
  put(bytes);
  ids_[0] = 0;
  Sequence whole = sequence();
  const Floats wanted = read(whole, 0, 40);
  Sequence part = sequence();
  read(part, 0, 30);
  const auto file = KvFile::open(path_, owner());
  ASSERT_TRUE(file.ok());
  const Status status = file->read(context_.impl().pool, 30, part.cache);
  EXPECT_EQ(status.code(), ErrorCode::corrupt_data);
  EXPECT_NE(status.message().find("tensor \"layers.1."), std::string::npos) << status.message();
  EXPECT_TRUE(std::equal(wanted.end() - 10 * model_.config.vocab_size, wanted.end(),
                         read(part, 30, 10).begin()));
}

TEST_P(KvFiles, OwnersAreNamedBoth) {
  Sequence whole = sequence();
  read(whole, 0, 20);
  ASSERT_TRUE(write(whole, 20).ok());
  KvOwner other = owner();
  other.model = "other";
  Status status = KvFile::open(path_, other).status();
  EXPECT_EQ(status.code(), ErrorCode::invalid_argument);
  EXPECT_EQ(status.message(), path_ +
                                  ": is a prompt cache of another model: tiny, weights 0; "
                                  "here it is other");
  other = owner();
  other.arithmetic = "2";
  EXPECT_EQ(KvFile::open(path_, other).status().message(),
            path_ + ": is a prompt cache of another program or machine: 1, rsr 0; here it is 2");
  other = owner();
  other.type = GetParam() == KvType::i8 ? KvType::f16 : KvType::i8;
  EXPECT_NE(KvFile::open(path_, other)
                .status()
                .message()
                .find(std::string("(--kv): ") + kv_type_name(GetParam()) + "; here it is "),
            std::string::npos);
}

TEST_P(KvFiles, WhatTheHeaderSaysIsChecked) {
  Sequence whole = sequence();
  read(whole, 0, 20);
  ASSERT_TRUE(write(whole, 20).ok());
  const std::string bytes = content();
  EXPECT_EQ(message_after(bytes, "rsr.kv", "rsr.kw"), "\"__metadata__\" has no \"rsr.kv\"");
  EXPECT_EQ(message_after(bytes, "\"rsr.prompt_cache\":\"1\"", "\"rsr.prompt_cache\":\"2\""),
            "has version 2 of the prompt cache, this rsr reads 1");
  EXPECT_EQ(message_after(bytes, "rsr.prompt_cache", "rsr.prompt_cachf"),
            "is no prompt cache: \"__metadata__\" has no \"rsr.prompt_cache\"");
  EXPECT_EQ(message_after(bytes, "\"layers.1.values\":", "\"layers.2.values\":"),
            "has no tensor \"layers.1.values\"");
  EXPECT_EQ(message_after(bytes, "\"shape\":[20]", "\"shape\":[19]").find("tensor \"ids\": "), 0u);
  EXPECT_NE(message_after(bytes, "[2,20,32]", "[2,32,20]").find(", must be "), std::string::npos);
  put("");
  EXPECT_EQ(check().message(), path_ + ": the file has 0 bytes, a header length needs 8");
  std::filesystem::remove(path_);
  EXPECT_EQ(check().code(), ErrorCode::not_found);
  std::filesystem::create_directory(path_);
  EXPECT_EQ(check().message(), path_ + ": not a regular file");
}

TEST_P(KvFiles, IdsMustBeOfTheVocabulary) {
  Sequence whole = sequence();
  read(whole, 0, 20);
  std::vector<int32_t> ids(20, 3);
  for (const int32_t bad : {-1, 48}) {
    ids[7] = bad;
    ASSERT_TRUE(write_kv_file(path_, owner(), whole.cache, ids).ok());
    EXPECT_EQ(check().message(), path_ + ": tensor \"ids\": " + std::to_string(bad) +
                                     " is no id of a vocabulary of 48");
  }
}

TEST_P(KvFiles, AFullDiskLeavesTheOldFileAndNothingElse) {
  Sequence whole = sequence();
  read(whole, 0, kPositions);
  ASSERT_TRUE(write(whole, 20).ok());
  const std::string before = content();
  const auto old_action = std::signal(SIGXFSZ, SIG_IGN);
  rlimit old = {};
  getrlimit(RLIMIT_FSIZE, &old);
  for (size_t limit = 0; limit < 4 * before.size(); limit += before.size() / 5) {
    const rlimit small = {.rlim_cur = limit, .rlim_max = old.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
    const Status status = write(whole, kPositions);
    setrlimit(RLIMIT_FSIZE, &old);
    EXPECT_EQ(status.code(), ErrorCode::io_error);
    EXPECT_EQ(status.message(), path_ + ": File too large");
    EXPECT_EQ(content(), before);
  }
  std::signal(SIGXFSZ, old_action);
  using Entries = std::filesystem::directory_iterator;
  EXPECT_EQ(std::distance(Entries(directory_.path()), {}), 3);  // with model and config
}

INSTANTIATE_TEST_SUITE_P(Types, KvFiles, testing::Values(KvType::f32, KvType::f16, KvType::i8),
                         [](const auto& type) { return kv_type_name(type.param); });

}  // namespace
}  // namespace rsr::model
