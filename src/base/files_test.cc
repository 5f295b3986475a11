// Files and directories that are written whole or not at all.
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/file.h"
#include "base/new_directory.h"
#include "base/output_file.h"

namespace rsr::base {
namespace {

namespace fs = std::filesystem;

class Files : public testing::Test {
 protected:
  Files() {
    std::string pattern = (fs::temp_directory_path() / "rsr_files_XXXXXX").string();
    root_ = mkdtemp(pattern.data());
  }
  ~Files() override { fs::remove_all(root_); }
  std::string at(const std::string& name) const { return root_ + "/" + name; }
  std::string content(const std::string& name) const {
    return read_file(at(name), size_t{1} << 20).value();
  }
  /// A directory with the file "f".
  void make(const std::string& name, const std::string& text) const {
    fs::create_directory(at(name));
    std::ofstream(at(name) + "/f") << text;
  }
  size_t entries() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(root_), {}));
  }

 private:
  std::string root_;
};

TEST_F(Files, OutputIsWrittenSkippedAndOverwritten) {
  OutputFile file = OutputFile::create(at("a")).value();
  EXPECT_TRUE(file.skip(3).ok());
  EXPECT_TRUE(file.write(as_bytes("def")).ok());
  EXPECT_TRUE(file.overwrite(0, as_bytes("ab")).ok());
  EXPECT_EQ(file.size(), 6u);
  EXPECT_TRUE(file.finish().ok());
  EXPECT_EQ(content("a"), std::string("ab\0def", 6));
  EXPECT_EQ(OutputFile::create(at("a")).status().message(), at("a") + ": File exists");
  EXPECT_EQ(write_file(at("no/a"), "x").message(), at("no/a") + ": No such file or directory");
}

TEST_F(Files, ALimitAndAFullDiskAreErrors) {
  const auto old_action = std::signal(SIGXFSZ, SIG_IGN);
  rlimit old = {};
  getrlimit(RLIMIT_FSIZE, &old);
  const rlimit small = {.rlim_cur = 10, .rlim_max = old.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  const Status status = write_file(at("a"), "more than ten bytes");
  setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, old_action);
  EXPECT_EQ(status.code(), ErrorCode::io_error);
  EXPECT_EQ(status.message(), at("a") + ": File too large");
}

TEST_F(Files, AReplacementTakesThePlaceWhenItIsFinished) {
  for (const char* text : {"first", "second"}) {
    OutputFile file = OutputFile::replacement(at("a")).value();
    EXPECT_TRUE(file.skip(1).ok());
    EXPECT_TRUE(file.write(as_bytes(text)).ok());
    EXPECT_TRUE(file.overwrite(0, as_bytes("!")).ok());
    if (*text == 's') {
      EXPECT_EQ(content("a"), "!first");
    } else {
      EXPECT_FALSE(fs::exists(at("a")));
    }
    EXPECT_TRUE(file.finish().ok());
    EXPECT_EQ(content("a"), std::string("!") + text);
  }
  { const OutputFile dropped = OutputFile::replacement(at("a")).value(); }
  EXPECT_EQ(content("a"), "!second");
  EXPECT_EQ(entries(), 1u);
}

TEST_F(Files, WhatAKilledWriterLeftIsRemovedByTheNext) {
  std::ofstream(at("a.1.rsr-partial")) << "left";
  std::ofstream(at("b.2.rsr-partial")) << "of another file";
  std::ofstream(at("a.mine.rsr-partial")) << "of somebody";
  OutputFile first = OutputFile::replacement(at("a")).value();
  EXPECT_FALSE(fs::exists(at("a.1.rsr-partial")));
  EXPECT_TRUE(first.write(as_bytes("first")).ok());
  OutputFile second = OutputFile::replacement(at("a")).value();
  EXPECT_TRUE(second.write(as_bytes("second")).ok());
  EXPECT_TRUE(second.finish().ok());
  EXPECT_EQ(content("a"), "second");
  EXPECT_TRUE(first.finish().ok());
  EXPECT_EQ(content("a"), "first");
  EXPECT_EQ(entries(), 3u);
}

TEST_F(Files, AReplacementFollowsALinkAndNamesWhatIsInTheWay) {
  fs::create_directory(at("far"));
  fs::create_symlink("far/file", at("link"));
  OutputFile file = OutputFile::replacement(at("link")).value();
  EXPECT_TRUE(file.write(as_bytes("x")).ok());
  EXPECT_TRUE(file.finish().ok());
  EXPECT_TRUE(fs::is_symlink(at("link")));
  EXPECT_EQ(content("far/file"), "x");
  OutputFile folder = OutputFile::replacement(at("far")).value();
  EXPECT_EQ(folder.finish().message(), at("far") + ": Is a directory");
  { const OutputFile gone = std::move(folder); }
  EXPECT_EQ(entries(), 2u);
  EXPECT_EQ(OutputFile::replacement(at("no/a")).status().message(),
            at("no/a") + ": No such file or directory");
}

TEST_F(Files, ADirectoryAppearsWhenItIsCommitted) {
  {
    NewDirectory made = NewDirectory::create(at("new/")).value();
    EXPECT_EQ(made.path(), at("new.rsr-partial"));
    EXPECT_TRUE(write_file(made.path() + "/f", "text").ok());
    EXPECT_FALSE(fs::exists(at("new")));
    EXPECT_TRUE(made.commit(NewDirectory::Existing::refuse).ok());
  }
  EXPECT_EQ(content("new/f"), "text");
  EXPECT_EQ(entries(), 1u);
}

TEST_F(Files, WithoutACommitNothingStays) {
  { const NewDirectory made = NewDirectory::create(at("new")).value(); }
  EXPECT_EQ(entries(), 0u);
}

TEST_F(Files, WhatIsThereIsRefusedOrReplaced) {
  make("old", "old");
  {
    NewDirectory made = NewDirectory::create(at("old")).value();
    EXPECT_TRUE(write_file(made.path() + "/f", "new").ok());
    EXPECT_EQ(made.commit(NewDirectory::Existing::refuse).message(),
              at("old") + ": is there already");
    EXPECT_EQ(content("old/f"), "old");
    EXPECT_TRUE(made.commit(NewDirectory::Existing::replace).ok());
  }
  EXPECT_EQ(content("old/f"), "new");
  EXPECT_EQ(entries(), 1u);
}

TEST_F(Files, WhatAKilledProcessLeftIsRemovedAndALivingOneIsLeftAlone) {
  make("new.rsr-partial", "left over");
  {
    const NewDirectory made = NewDirectory::create(at("new")).value();
    EXPECT_FALSE(fs::exists(at("new.rsr-partial/f")));
    const Status second = NewDirectory::create(at("new")).status();
    EXPECT_EQ(second.message(), at("new") + ": another process is writing it (" +
                                    at("new.rsr-partial") + " is locked)");
  }
  EXPECT_EQ(entries(), 0u);
}

TEST_F(Files, AMissingParentIsNamed) {
  const Status status = NewDirectory::create(at("no/new")).status();
  EXPECT_EQ(status.code(), ErrorCode::not_found);
  EXPECT_EQ(status.message(), at("no/new.rsr-partial") + ": No such file or directory");
}

TEST_F(Files, ReleasedPagesStillReadTheFile) {
  const std::string text(100'000, 'x');
  ASSERT_TRUE(write_file(at("a"), text).ok());
  const MappedFile file = MappedFile::open(at("a")).value();
  file.will_be_read();
  const auto all = file.bytes();
  for (const auto part : {all, all.subspan(1), all.first(10), all.first(0)}) {
    release_pages(part);
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(all.data()), all.size()), text);
  }
}

}  // namespace
}  // namespace rsr::base
