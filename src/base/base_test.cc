#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "base/aligned.h"
#include "base/check.h"
#include "base/cpu.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory_use.h"
#include "base/thread_pool.h"

namespace rsr::base {
namespace {

TEST(Status, ContextStandsInFront) {
  const Status status = error(ErrorCode::not_found, "tensor ", 3, " is missing");
  EXPECT_EQ(status.message(), "tensor 3 is missing");
  EXPECT_EQ(status.with_context("a.bin").message(), "a.bin: tensor 3 is missing");
  EXPECT_EQ(status.with_context("a.bin").code(), ErrorCode::not_found);
  EXPECT_TRUE(Status().with_context("a.bin").ok());
}

TEST(StatusDeathTest, BrokenContractsPrintBothSides) {
  EXPECT_DEATH(RSR_CHECK_OP(1 + 1, ==, 3), "broken contract: 1 \\+ 1 == 3: 2 against 3");
  EXPECT_DEATH(Result<int>(error(ErrorCode::io_error, "no disk")).value(), "no disk");
}

TEST(ThreadPool, EveryItemOnce) {
  for (const int threads : {1, 2, 3, 7}) {
    ThreadPool pool(threads);
    for (const int64_t count : {0, 1, 2, 5, 6, 7, 8, 1000}) {
      std::vector<std::atomic<int>> seen(count);
      pool.parallel_for(count, [&](Range range) {
        for (int64_t i = range.begin; i < range.end; ++i) ++seen[i];
      });
      for (const auto& n : seen) EXPECT_EQ(n, 1);
    }
  }
}

TEST(ThreadPool, CallsFromSeveralThreadsWaitForEachOther) {
  ThreadPool pool(3);
  std::atomic<int64_t> sum = 0;
  {
    std::vector<std::jthread> callers;
    callers.reserve(4);
    for (int c = 0; c < 4; ++c) {
      callers.emplace_back([&] {
        for (int i = 0; i < 200; ++i) {
          pool.parallel_for(10, [&](Range range) { sum += range.end - range.begin; });
        }
      });
    }
  }
  EXPECT_EQ(sum, 4 * 200 * 10);
}

TEST(ThreadPool, WakesThreadsThatSleep) {
  ThreadPool pool(2);
  std::atomic<int> calls = 0;
  for (int i = 0; i < 3; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    pool.parallel_for(2, [&](Range) { ++calls; });
  }
  EXPECT_EQ(calls, 6);
}

TEST(ThreadPool, PartsCoverTheWholeInOrder) {
  for (const int64_t count : {0, 1, 6, 7, 100}) {
    for (const int parts : {1, 2, 3, 16}) {
      int64_t next = 0;
      for (int i = 0; i < parts; ++i) {
        const Range range = part_of(count, i, parts);
        EXPECT_EQ(range.begin, next);
        next = range.end;
      }
      EXPECT_EQ(next, count);
    }
  }
}

TEST(Cpu, NamesAndForcing) {
  for (const Isa isa : kAllIsas) EXPECT_EQ(*isa_from_name(isa_name(isa)), isa);
  const std::string unknown = choose_isa("mmx").status().message();
  EXPECT_EQ(unknown.find("isa: unknown instruction set \"mmx\"; known are: reference, "), 0U);
  EXPECT_NE(unknown.find(isa_name(detect_isa())), std::string::npos);
  EXPECT_EQ(*choose_isa("reference"), Isa::reference);
  ASSERT_EQ(setenv("RSR_FORCE_ISA", "reference", 1), 0);
  EXPECT_EQ(*choose_isa(""), Isa::reference);
  ASSERT_EQ(setenv("RSR_FORCE_ISA", "avx9", 1), 0);
  EXPECT_FALSE(choose_isa("").ok());
  ASSERT_EQ(unsetenv("RSR_FORCE_ISA"), 0);
  EXPECT_EQ(*choose_isa(""), detect_isa());
}

TEST(Cpu, CoresAreThoseOfThisProcess) {
  EXPECT_GE(usable_cores(), 1);
  EXPECT_LE(usable_cores(), static_cast<int>(std::thread::hardware_concurrency()));
  EXPECT_EQ(cores_of_quota(-1, 100000), 0);
  EXPECT_EQ(cores_of_quota(150000, 100000), 2);
  EXPECT_EQ(cores_of_quota(200000, 100000), 2);
  EXPECT_EQ(cores_of_quota(5, 0), 0);
}

TEST(Aligned, ZeroedOnCacheLines) {
  AlignedArray<int> array(1000);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(array.data()) % kAlignment, 0u);
  for (const int v : array.span()) EXPECT_EQ(v, 0);
  array.reserve_discard(10);
  EXPECT_EQ(array.size(), 1000u);
  array.reserve_discard(2000);
  EXPECT_EQ(array.size(), 2000u);
}

class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& content)
      : path_(testing::TempDir() + "/rsr_base_" + std::to_string(::getpid())) {
    std::ofstream(path_) << content;
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() { std::remove(path_.c_str()); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

TEST(File, ReadAndMap) {
  const TemporaryFile file("hello");
  EXPECT_EQ(*read_file(file.path(), 5), "hello");
  EXPECT_EQ(read_file(file.path(), 4).status().code(), ErrorCode::limit_exceeded);
  const MappedFile mapped = MappedFile::open(file.path()).value();
  EXPECT_EQ(mapped.bytes().size(), 5u);
  EXPECT_EQ(static_cast<char>(mapped.bytes()[4]), 'o');
  EXPECT_EQ(MappedFile::open("/no/such/file").status().code(), ErrorCode::not_found);
  EXPECT_EQ(MappedFile::open("/tmp").status().code(), ErrorCode::io_error);
  const TemporaryFile empty("");
  EXPECT_EQ(MappedFile::open(empty.path())->bytes().size(), 0u);
}

TEST(File, ReplacedAsAWholeOrNotAtAll) {
  const TemporaryFile file("old and long");
  ASSERT_TRUE(replace_file(file.path(), "new").ok());
  EXPECT_EQ(*read_file(file.path(), 100), "new");
  EXPECT_EQ(replace_file("/no/such/folder/file", "x").code(), ErrorCode::not_found);
  EXPECT_EQ(replace_file("/dev/null/file", "x").code(), ErrorCode::io_error);
}

TEST(JsonReader, RefusesWhatIsNotPlainJson) {
  EXPECT_TRUE(parse_json(R"({"a": [1, 2, {"b": null}]})", "x").ok());
  EXPECT_EQ(parse_json(R"({"a": 1, "b": {"a": 2}, "a": 3})", "x").status().message(),
            "x: key \"a\" is given twice");
  EXPECT_FALSE(parse_json("{", "x").ok());
  EXPECT_FALSE(parse_json("{} {}", "x").ok());
  EXPECT_FALSE(parse_json("\"\xff\"", "x").ok());
  EXPECT_FALSE(parse_json(std::string(100000, '['), "x").ok());
  EXPECT_FALSE(parse_json("[[[1]]]", "x", 2).ok());
}

TEST(JsonReader, MessagesAreShortAndPlain) {
  const Status status = parse_json("{}" + std::string(100000, ' ') + "\xa0\x1b[31m", "x").status();
  EXPECT_EQ(status.code(), ErrorCode::corrupt_data);
  EXPECT_LT(status.message().size(), 300u);
  EXPECT_NE(status.message().find("parse error at line 1, column 100003"), std::string::npos);
  EXPECT_TRUE(std::all_of(status.message().begin(), status.message().end(), [](char c) {
    return c >= ' ' && c <= '~';
  })) << status.message();
}

TEST(JsonReader, SeesRepeatedKeysWhereverTheyAre) {
  for (const char* twice : {R"({"a":1,"a":1})", R"([{"a":{},"b":[{"a":0}],"a":[]}])",
                            R"({"x":{"a":{"b":1}, "\u0061":2}})", R"({"":0,"":0})"}) {
    const Status status = parse_json(twice, "x").status();
    EXPECT_EQ(status.code(), ErrorCode::corrupt_data) << twice;
    EXPECT_TRUE(status.message().ends_with("is given twice")) << status.message();
  }
  const char* once = R"({"a":{"a":[{"a":1},{"a":2}]},"b":{"a":3},"A":[]})";
  ASSERT_TRUE(parse_json(once, "x").ok());
  EXPECT_EQ(*parse_json(once, "x"), Json::parse(once));
}

TEST(JsonReader, CountsDepthFromTheOutside) {
  EXPECT_TRUE(parse_json("1", "x", 0).ok());
  EXPECT_TRUE(parse_json("[[{}]]", "x", 2).ok());
  for (const char* deep : {"[[[1]]]", "[[[[]]]]", R"([[{"a":1}]])"}) {
    EXPECT_EQ(parse_json(deep, "x", 2).status().message(), "x: nested deeper than 2") << deep;
  }
}

TEST(JsonReader, TakesManyObjectsInLittleTime) {
  // nlohmann's parser with a callback walks over all elder siblings when an object ends: minutes.
  std::string text = "[";
  for (int i = 0; i < 400'000; ++i) text += "{},";
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(parse_json(text + "1]", "x")->size(), 400'001u);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
}

TEST(JsonReader, TypedMembers) {
  const Json object = *parse_json(R"({"i": 7, "f": 0.5, "s": "x", "b": true, "n": null,
                                      "big": 18446744073709551615})",
                                  "x");
  EXPECT_EQ(*json_int(object, "i", 0), 7);
  EXPECT_EQ(*json_int(object, "n", 9), 9);
  EXPECT_EQ(*json_int(object, "absent", 9), 9);
  EXPECT_EQ(json_int(object, "f", 0).status().message(), "\"f\" must be an integer, not number");
  EXPECT_FALSE(json_int(object, "big", 0).ok());
  EXPECT_EQ(*json_number(object, "i", 0), 7.0);
  EXPECT_EQ(*json_bool(object, "b", false), true);
  EXPECT_EQ(*json_string(object, "s", ""), "x");
  EXPECT_EQ(json_require_int(object, "n").status().message(), "\"n\" is missing");
  EXPECT_EQ(*json_require_string(object, "s"), "x");
}

TEST(MemoryUse, ThePeakGrowsWithWhatIsTouched) {
  EXPECT_GT(available_memory_bytes(), int64_t{1} << 20);
  const int64_t before = peak_resident_bytes();
  EXPECT_GT(before, 0);
  const int64_t more = before + (int64_t{8} << 20);  // above any peak of before
  const std::vector<char> block(static_cast<size_t>(more), 1);
  EXPECT_GE(peak_resident_bytes(), more);
  EXPECT_EQ(block.back(), 1);
}

}  // namespace
}  // namespace rsr::base
