#include <gtest/gtest.h>

#include "io/safetensors.h"
#include "io/test_files.h"

namespace rsr::io {
namespace {

/// A shard with U8 tensors of one byte each.
std::string shard(std::initializer_list<const char*> names) {
  std::string header = "{";
  size_t at = 0;
  for (const char* name : names) {
    if (at > 0) header += ",";
    header += "\"" + std::string(name) + R"(":{"dtype":"U8","shape":[1],"data_offsets":[)" +
              std::to_string(at) + "," + std::to_string(at + 1) + "]}";
    ++at;
  }
  return container(header + "}", at);
}

constexpr const char* kIndex = "model.safetensors.index.json";

/// What opening says when shards "1" {a, b} and "2" {c} have this index.
Status open_with_index(const std::string& index) {
  const TempDir dir;
  dir.write("1", shard({"a", "b"}));
  dir.write("2", shard({"c"}));
  dir.write("3", shard({"c", "d"}));
  dir.write(kIndex, index);
  return TensorStore::open(dir.path()).status();
}

TEST(TensorStore, ReadsOneFileAndPrefersItToTheIndex) {
  const TempDir dir;
  dir.write("model.safetensors", shard({"a"}));
  dir.write(kIndex, "not JSON");
  const auto store = TensorStore::open(dir.path());
  ASSERT_TRUE(store.ok()) << store.status().message();
  EXPECT_NE(store->find("a"), nullptr);
  EXPECT_EQ(store->find("b"), nullptr);
  EXPECT_EQ(store->require("a")->describe(), "u8 [1]");
  const Status missing = store->require("b").status();
  EXPECT_EQ(missing.code(), ErrorCode::not_found);
  EXPECT_TRUE(has_all(missing.message(), {dir.path().c_str(), "\"b\""}));
}

TEST(TensorStore, ReadsShardsAndLeavesOutWhatTheIndexDoesNotName) {
  const TempDir dir;
  dir.write("1", shard({"a", "b"}));
  dir.write("2", shard({"c"}));
  dir.write(kIndex, R"({"metadata":{"total_size":"odd"},"weight_map":{"b":"1","c":"2"}})");
  auto opened = TensorStore::open(dir.path());
  ASSERT_TRUE(opened.ok()) << opened.status().message();
  const TensorStore store = std::move(opened).value();
  EXPECT_EQ(store.tensors().size(), 2U);
  EXPECT_EQ(store.find("a"), nullptr);
  EXPECT_EQ(std::to_integer<int>(store.find("b")->data[0]), 1);
  EXPECT_EQ(std::to_integer<int>(store.find("c")->data[0]), 0);
}

TEST(TensorStore, RefusesBadIndexes) {
  const std::pair<const char*, const char*> cases[] = {
      {"{", kIndex},
      {"{}", "\"weight_map\" must be an object"},
      {R"({"weight_map":[]})", "must be an object"},
      {R"({"weight_map":{"a":1}})", "\"a\" must be a string"},
      {R"({"weight_map":{"a":"../1"}})", "not a plain file name"},
      {R"({"weight_map":{"a":"/1"}})", "not a plain file name"},
      {R"({"weight_map":{"a":"x\\1"}})", "not a plain file name"},
      {R"({"weight_map":{"a":"1\u0000"}})", "not a plain file name"},
      {R"({"weight_map":{"a":".."}})", "not a plain file name"},
      {R"({"weight_map":{"a":""}})", "not a plain file name"},
      {R"({"weight_map":{"a":"9"}})", "/9"},
      {R"({"weight_map":{"a":"2"}})", "tensor \"a\" is not in 2"},
      {R"({"weight_map":{"a":"1","c":"1","d":"3"}})", "tensor \"c\" is not in 1"},
      {R"({"weight_map":{"c":"2","d":"3"}})", "\"c\" is in two shards, 2 and 3"},
  };
  for (const auto& [index, message] : cases) {
    const Status status = open_with_index(index);
    EXPECT_FALSE(status.ok()) << index;
    EXPECT_TRUE(has_all(status.message(), {message})) << index << "\n" << status.message();
  }
}

TEST(TensorStore, SaysWhatIsMissingInAnEmptyFolder) {
  const TempDir dir;
  const Status status = TensorStore::open(dir.path()).status();
  EXPECT_EQ(status.code(), ErrorCode::not_found);
  EXPECT_TRUE(has_all(status.message(), {dir.path().c_str(), "model.safetensors"}));
}

}  // namespace
}  // namespace rsr::io
