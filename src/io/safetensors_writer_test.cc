#include "io/safetensors_writer.h"

#include <gtest/gtest.h>

#include "io/safetensors.h"
#include "io/test_files.h"

namespace rsr::io {
namespace {

std::span<const std::byte> bytes_of(const std::string& text) {
  return base::as_bytes(text);
}

TEST(SafetensorsWriter, WhatIsWrittenIsReadAndAligned) {
  const TempDir dir;
  const std::string path = dir.path() + "/a.safetensors";
  size_t room = 200;
  for (const char* name : {"one", "two \"quoted\"\n", "none", "three"}) {
    room += SafetensorsWriter::header_bytes_of(name);
  }
  auto writer = SafetensorsWriter::create(path, room).value();
  ASSERT_TRUE(writer.begin("one", DType::u8, {5}).ok());
  ASSERT_TRUE(writer.write(bytes_of("ab")).ok());
  ASSERT_TRUE(writer.write(bytes_of("cde")).ok());
  ASSERT_TRUE(writer.begin("two \"quoted\"\n", DType::bf16, {2, 32}).ok());
  ASSERT_TRUE(writer.write(bytes_of(std::string(128, 'x'))).ok());
  ASSERT_TRUE(writer.begin("none", DType::f32, {0, 7}).ok());
  ASSERT_TRUE(writer.begin("three", DType::f32, {}).ok());
  ASSERT_TRUE(writer.write(bytes_of("1234")).ok());
  EXPECT_FALSE(SafetensorsFile::open(path).ok());  // not before it is finished
  ASSERT_TRUE(writer.finish(writer.header({{"format", "test"}})).ok());

  const auto file = SafetensorsFile::open(path);
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_EQ(file->metadata().at("format"), "test");
  EXPECT_EQ(file->tensors().size(), 5u);
  for (const auto& [name, tensor] : file->tensors()) {
    const auto at = tensor.data.data() - file->mapping()->bytes().data();
    EXPECT_TRUE(at % 64 == 0 || name == "rsr.padding.0") << name << " at " << at;
  }
  EXPECT_EQ(file->tensors().at("one").data[4], std::byte{'e'});
  EXPECT_EQ(file->tensors().at("two \"quoted\"\n").describe(), "bf16 [2, 32]");
  EXPECT_EQ(file->tensors().at("three").describe(), "f32 []");
  EXPECT_EQ(file->tensors().at("rsr.padding.0").describe(), "u8 [59]");
  EXPECT_EQ(file->header(), writer.header({{"format", "test"}}));
}

TEST(SafetensorsWriter, NoTensorsAndAFileThatIsThere) {
  const TempDir dir;
  const std::string path = dir.write("a", "x");
  EXPECT_EQ(SafetensorsWriter::create(path, 100).status().message(), path + ": File exists");
  auto writer = SafetensorsWriter::create(path + "b", 100).value();
  ASSERT_TRUE(writer.finish(writer.header({})).ok());
  EXPECT_TRUE(SafetensorsFile::open(path + "b").ok());
}

TEST(SafetensorsWriterDeathTest, ATensorIsCompletedBeforeTheNext) {
  const TempDir dir;
  auto writer = SafetensorsWriter::create(dir.path() + "/a", 1000).value();
  ASSERT_TRUE(writer.begin("one", DType::u8, {5}).ok());
  EXPECT_DEATH((void)writer.begin("two", DType::u8, {5}), "against|entries_");
  EXPECT_DEATH((void)writer.write(bytes_of("123456")), "6 against 5");
}

}  // namespace
}  // namespace rsr::io
