// The tune cache's content: what is written is read back, what is wrong is refused.
#include "linear/tune_cache.h"

#include <gtest/gtest.h>

#include <string>

namespace rsr::linear {
namespace {

using base::Isa;
using base::Json;
using matrix::Format;

const TuneKey kKey{"A Processor", "1.2.3", Isa::avx2};

TuningTable some_table() {
  TuningTable table(Isa::avx2);
  table.of(Format::t5) = {{512, 8192}, 13, 4, 1.75};
  table.rsr.push_back({true, RsrForm::gray, 100, 200, 7});
  table.set_index_speed({true, false, 3.0});
  table.set_index_speed({true, false, 0.75});
  return table;
}

Json some_file() {
  return with_tuning(Json(), kKey, some_table());
}

std::string failure_of(const Json& file) {
  const auto table = find_tuning(file, kKey, "file");
  return table.ok() ? "" : table.status().message();
}

TEST(TuneCache, GivesBackWhatWasWritten) {
  const auto table = find_tuning(some_file(), kKey, "file");
  ASSERT_TRUE(table.ok()) << table.status().message();
  EXPECT_TRUE(table->measured);
  for (const Format format : matrix::kAllFormats) {
    EXPECT_EQ(table->of(format), some_table().of(format));
  }
  EXPECT_EQ(table->rsr_k({true, RsrForm::gray, 100, 200, 0}), 7);
  EXPECT_EQ(table->rsr_k({false, RsrForm::gray, 100, 200, 0}), std::nullopt);
  EXPECT_EQ(table->index_speed(true, false), 0.75);
  EXPECT_EQ(table->index_speed(false, false), 1.0);
  EXPECT_EQ(table->indexes.size(), 1u);
}

TEST(TuneCache, KeepsEntriesOfOtherMachines) {
  TuneKey other = kKey;
  other.cpu = "Another Processor";
  TuningTable table = some_table();
  table.of(Format::t5).gemm_batch = 5;
  Json file = with_tuning(some_file(), other, table);
  EXPECT_EQ(file["entries"].size(), 2u);
  file = with_tuning(file, other, table);  // takes its own place
  EXPECT_EQ(file["entries"].size(), 2u);
  EXPECT_EQ(find_tuning(file, kKey, "file")->of(Format::t5).gemm_batch, 13);
  EXPECT_EQ(find_tuning(file, other, "file")->of(Format::t5).gemm_batch, 5);
  // A file that makes no sense starts anew.
  EXPECT_EQ(with_tuning(Json("nonsense"), kKey, table)["entries"].size(), 1u);
}

TEST(TuneCache, HasNothingForAnotherProcessorVersionOrIsa) {
  for (const TuneKey& key : {TuneKey{"B", "1.2.3", Isa::avx2},
                             {"A Processor", "2", Isa::avx2},
                             {"A Processor", "1.2.3", Isa::avxvnni}}) {
    const auto table = find_tuning(some_file(), key, "file");
    ASSERT_FALSE(table.ok());
    EXPECT_EQ(table.status().code(), ErrorCode::not_found);
  }
}

TEST(TuneCache, RefusesWhatIsOutOfRangeOrOfAnotherType) {
  const Json good = some_file();
  ASSERT_EQ(failure_of(good), "");
  const auto changed = [&](const char* list, const char* key, const Json& value) {
    Json file = good;
    file["entries"][0][list][0][key] = value;
    return failure_of(file);
  };
  for (const Json& value :
       {Json(-1), Json(65537), Json(1e9), Json("1024"), Json(), Json::array(), Json(UINT64_MAX)}) {
    EXPECT_NE(changed("formats", "prefetch_near", value), "") << value;
    EXPECT_NE(changed("formats", "prefetch_far", value), "") << value;
    EXPECT_NE(changed("formats", "token_tile", value), "") << value;
    EXPECT_NE(changed("rsr", "k", value), "") << value;
  }
  for (const Json& value : {Json(-0.1), Json(101), Json("1"), Json(), Json::array()}) {
    EXPECT_NE(changed("formats", "tables_gain", value), "") << value;
  }
  EXPECT_EQ(changed("formats", "tables_gain", 0), "");
  EXPECT_NE(changed("formats", "gemm_batch", 1), "");  // a gemm never runs for one vector
  EXPECT_NE(changed("formats", "format", "t9"), "");
  EXPECT_NE(changed("rsr", "form", "circle"), "");
  EXPECT_NE(changed("indexes", "form", "circle"), "");
  EXPECT_NE(changed("indexes", "inputs", "fp64"), "");
  EXPECT_NE(changed("indexes", "speed", 0), "");
  EXPECT_NE(changed("indexes", "speed", 101), "");
  EXPECT_NE(changed("rsr", "bits", 2), "");
  EXPECT_NE(changed("rsr", "rows", 0), "");
  EXPECT_NE(changed("rsr", "k", 13), "");  // gray: at most 12
}

TEST(TuneCache, RefusesAnotherOutline) {
  for (const char* text :
       {"0", "[]", "{}", "null", "{\"format\": 2, \"entries\": []}", "{\"format\": 1}",
        "{\"format\": 1, \"entries\": {}}", "{\"format\": 1, \"entries\": [1, null, []]}"}) {
    EXPECT_NE(failure_of(base::parse_json(text, "text").value()), "") << text;
  }
  Json file = some_file();
  file["entries"][0].erase("formats");
  EXPECT_NE(failure_of(file), "");
  file = some_file();
  file["entries"][0]["rsr"] = Json(5);
  EXPECT_NE(failure_of(file), "");
}

}  // namespace
}  // namespace rsr::linear
