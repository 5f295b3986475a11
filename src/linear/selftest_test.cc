// The self-test finds kernels that fault, miscompute or hang, and its record believes nobody.
#include "linear/selftest.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "linear/cache_dir.h"
#include "linear/context.h"
#include "linear/selftest_record.h"

namespace rsr::linear {
namespace {

using namespace std::chrono_literals;

SelftestCase one(const char* name, std::function<bool()> trial) {
  return {name, {[] { return true; }, std::move(trial)}};
}

/// A variable of the environment for one scope.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old;
    ::setenv(name, value.c_str(), 1);
  }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;
  ~Variable() { old_ ? ::setenv(name_, old_->c_str(), 1) : ::unsetenv(name_); }

 private:
  const char* name_;
  std::optional<std::string> old_;
};

std::string fresh_folder(const std::string& name) {
  const std::string folder = ::testing::TempDir() + "/rsr_selftest_" + name;
  std::filesystem::remove_all(folder);
  return folder;
}

TEST(Selftest, FindsAndNamesEveryKindOfFailure) {
  std::atomic<bool> forever{true};
  const std::vector<SelftestCase> cases = {one("good", [] { return true; }),
                                           one("illegal", [] { return ::raise(SIGILL) == 0; }),
                                           one("outside", [] { return ::raise(SIGSEGV) == 0; }),
                                           one("miscomputes", [] { return false; }),
                                           one("hangs",
                                               [&] {
                                                 while (forever) {
                                                 }
                                                 return true;
                                               }),
                                           one("good again", [] { return true; })};
  const std::vector<SelftestResult> results = selftest(cases, 200ms);
  ASSERT_EQ(results.size(), cases.size());
  const Verdict expected[] = {Verdict::right, Verdict::fault, Verdict::fault,
                              Verdict::wrong, Verdict::hang,  Verdict::right};
  for (size_t i = 0; i < results.size(); ++i) {
    EXPECT_EQ(results[i].kernel, cases[i].kernel);
    EXPECT_EQ(verdict_name(results[i].verdict), verdict_name(expected[i])) << results[i].kernel;
  }
  EXPECT_EQ(selftest_sentence(results[1]),
            "illegal faulted in the self-test (signal 4, illegal instruction); it is not used.");
  EXPECT_EQ(selftest_sentence(results[3]),
            "miscomputes gave a wrong result in the self-test; it is not used.");
  EXPECT_EQ(selftest_sentence(results[4]), "hangs did not end in the self-test; it is not used.");
}

TEST(Selftest, EveryKernelOfThisMachineIsRightWhileOtherThreadsAllocate) {
  std::atomic<bool> stop{false};
  std::vector<std::jthread> others;
  for (int i = 0; i < 3; ++i) {
    others.emplace_back([&] {
      while (!stop) std::vector<int>(1000).back() = 1;
    });
  }
  const std::vector<SelftestCase> cases = kernel_cases();
  const std::vector<SelftestResult> results = selftest(cases);
  stop = true;
  EXPECT_GE(results.size(), 10u);
  for (const SelftestResult& result : results) {
    EXPECT_EQ(result.verdict, Verdict::right) << selftest_sentence(result);
  }
}

TEST(Selftest, TheRecordKnowsEveryKernelThatIsTried) {
  std::vector<std::string> tried;
  for (const SelftestCase& one : kernel_cases()) tried.push_back(one.kernel);
  EXPECT_EQ(kernel_names(), tried);
  const std::vector<SelftestResult> all_wrong = [&] {
    std::vector<SelftestResult> results;
    for (const std::string& name : tried) results.push_back({name, Verdict::wrong, 0});
    return results;
  }();
  const auto failures = parse_selftest_record(selftest_record(all_wrong));
  ASSERT_TRUE(failures.has_value());
  EXPECT_EQ(failures->size(), tried.size());
}

TEST(Selftest, RecordsAreBelievedOnlyWhenTheyFit) {
  const std::vector<SelftestResult> results = {{"matvec_t2_i8_reference", Verdict::fault, 4},
                                               {"quantize_i8_reference", Verdict::right, 0}};
  const std::string text = selftest_record(results);
  const auto failures = parse_selftest_record(text);
  ASSERT_TRUE(failures.has_value());
  ASSERT_EQ(failures->size(), 1u);
  EXPECT_EQ((*failures)[0].kernel, "matvec_t2_i8_reference");
  EXPECT_EQ((*failures)[0].signal, 4);
  for (size_t size = 0; size + 2 < text.size(); ++size) {
    EXPECT_FALSE(parse_selftest_record(text.substr(0, size))) << size;
  }
  const auto replaced = [&](const std::string& from, const std::string& to) {
    std::string other = text;
    const size_t at = other.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return parse_selftest_record(other.replace(at, from.size(), to));
  };
  EXPECT_FALSE(replaced("\"format\": 1", "\"format\": 2"));
  EXPECT_FALSE(replaced("matvec_t2_i8_reference", "matvec_t2_i8_other"));
  EXPECT_FALSE(replaced("\"fault\"", "\"fine\""));
  EXPECT_FALSE(replaced("\"signal\": 4", "\"signal\": 400"));
  EXPECT_FALSE(replaced("\"signal\": 4", "\"signal\": \"4\""));
  EXPECT_FALSE(replaced("\"reference\"", "\"abacus\""));
  EXPECT_FALSE(replaced("\"version\": \"", "\"version\": \"9"));
  EXPECT_FALSE(parse_selftest_record("[]"));
  EXPECT_FALSE(parse_selftest_record("{}"));
}

TEST(Selftest, TheRecordIsKeptInTheCacheDirectory) {
  const std::string folder = fresh_folder("record") + "/deep/er";
  const Variable variable("RSR_CACHE_DIR", folder);
  EXPECT_FALSE(recall_selftest());
  const std::vector<SelftestResult> results = {{"matvec_t2_i8_reference", Verdict::wrong, 0}};
  remember_selftest(results);
  ASSERT_TRUE(recall_selftest());
  EXPECT_EQ((*recall_selftest())[0].kernel, "matvec_t2_i8_reference");
  std::ofstream(folder + "/" + kSelftestFile) << "damaged";
  EXPECT_FALSE(recall_selftest());
  remember_selftest(results);
  EXPECT_TRUE(recall_selftest());
  // Nothing but the record is left behind.
  const auto files = std::filesystem::directory_iterator(folder);
  EXPECT_EQ(std::distance(begin(files), end(files)), 1);
  // What was not tried is not remembered as good.
  std::filesystem::remove_all(folder);
  const std::vector<SelftestResult> unknown = {{"matvec_t2_i8_reference", Verdict::unknown, 0}};
  remember_selftest(unknown);
  EXPECT_FALSE(recall_selftest());
}

TEST(Selftest, NoFolderIsNoError) {
  const std::vector<SelftestResult> none;
  {
    const Variable variable("RSR_CACHE_DIR", "");
    EXPECT_FALSE(cache_dir());
    remember_selftest(none);
    EXPECT_FALSE(recall_selftest());
  }
  const std::string folder = fresh_folder("file");
  std::ofstream(folder) << "a file where the folder should be";
  const Variable variable("RSR_CACHE_DIR", folder);
  remember_selftest(none);
  EXPECT_FALSE(recall_selftest());
  EXPECT_FALSE(write_cache_file(folder, "x", "y").ok());
}

TEST(Selftest, CacheDirectories) {
  const Variable home("HOME", "/somewhere");
  const Variable xdg("XDG_CACHE_HOME", "/cache");
  const Variable ours("RSR_CACHE_DIR", "/ours");
  EXPECT_EQ(cache_dir(), "/ours");
  ::unsetenv("RSR_CACHE_DIR");
  EXPECT_EQ(cache_dir(), "/cache/rsr");
  ::setenv("XDG_CACHE_HOME", "relative", 1);
  EXPECT_EQ(cache_dir(), "/somewhere/.cache/rsr");
}

TEST(Selftest, ADisabledKernelIsNotChosen) {
  const std::vector<std::string> disabled = {"matvec_t2_i8_avx2"};
  const Context::Impl context(1, base::Isa::avx2, disabled, {"warned"});
  const auto* kernel = context.kernels.matvec_i8[static_cast<size_t>(matrix::Format::t2)];
  EXPECT_STREQ(kernel->name, "matvec_t2_i8_reference");
  EXPECT_EQ(context.warnings, std::vector<std::string>{"warned"});
  const Context healthy = Context::create().value();
  EXPECT_TRUE(healthy.warnings().empty());
}

TEST(Selftest, AFormatWhoseFastKernelIsDisabledIsNotChosen) {
  using matrix::Alphabet;
  using matrix::Format;
  const auto choose = [](Inputs inputs, std::vector<std::string> disabled) {
    return choose_format({Alphabet::ternary, inputs, Residency::memory, false,
                          base::Isa::avx512vbmi, std::move(disabled)})
        .format;
  };
  EXPECT_EQ(choose(Inputs::int8, {}), Format::t5);
  EXPECT_EQ(choose(Inputs::int8, {"matvec_t5_i8_avx512vbmi"}), Format::t2);
  EXPECT_EQ(choose(Inputs::floats, {}), Format::t3);
  EXPECT_EQ(choose(Inputs::floats, {"matvec_t3_f32_avx512bw"}), Format::t2);
}

}  // namespace
}  // namespace rsr::linear
