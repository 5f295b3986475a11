// The parts of the hub that need no server; what happens over a network is in tests/test_hub.py.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/file.h"
#include "io/hub/cache.h"
#include "io/hub/digest.h"
#include "io/hub/hub.h"
#include "io/hub/listing.h"
#include "io/hub/model_id.h"
#include "io/test_files.h"

namespace rsr::io {
namespace {

const std::string kCommit(40, 'c');
const std::string kBlob(40, 'b');
const std::string kSha256(64, 'a');

TEST(ModelId, IsOrganisationAndName) {
  const auto id = parse_model_id("tiiuae/Falcon3-1B-Instruct-1.58bit");
  ASSERT_TRUE(id.has_value());
  EXPECT_EQ(id->name, "tiiuae/Falcon3-1B-Instruct-1.58bit");
  EXPECT_EQ(id->revision, "main");
  EXPECT_EQ(parse_model_id("a/b@refs/pr/1")->revision, "refs/pr/1");
  EXPECT_EQ(parse_model_id("a/b@v1.0")->revision, "v1.0");
}

TEST(ModelId, IsNoPath) {
  for (const char* text :
       {"",         "a",       "/",      "a/",      "/b",       "a/b/c",  "../b",
        "a/..",     "./b",     "a/.",    "-a/b",    "a/b.",     "a--x/b", "a/b..c",
        "a b/c",    "a/b\n",   "a\\b/c", "a/b@",    "a/b@../x", "a/b@/x", "a/b@x/",
        "a/b@x//y", "a/b@x y", "a/b@-x", "a/b@x@y", "a/b?x",    "a/b#x",  "a/b%2f"}) {
    EXPECT_FALSE(parse_model_id(text).has_value()) << text;
  }
  EXPECT_FALSE(parse_model_id("a/" + std::string(95, 'b')).has_value());
}

TEST(ModelId, SafePathsStayBelowTheirFolder) {
  for (const char* path : {"a", "a/b.json", "...", "onnx/model.onnx", "ü"}) {
    EXPECT_TRUE(is_safe_path(path)) << path;
  }
  for (const char* path : {"", "/a", "a/", "a//b", ".", "..", "a/../b", "../a", "a\\b", "a\nb"}) {
    EXPECT_FALSE(is_safe_path(path)) << path;
  }
}

std::string listing_of(const std::string& sibling) {
  return R"({"sha": ")" + kCommit + R"(", "siblings": [)" + sibling + "]}";
}

TEST(Listing, TellsSizesAndChecksums) {
  const auto listing = parse_listing(
      listing_of(R"({"rfilename": "config.json", "size": 12, "blobId": ")" + kBlob + R"("},
                    {"rfilename": "x/model.safetensors", "size": 5, "blobId": ")" +
                 kBlob + R"(", "lfs": {"sha256": ")" + kSha256 +
                 R"(", "size": 7, "pointerSize": 1}}, {"rfilename": "bare"})"),
      "url");
  ASSERT_TRUE(listing.ok()) << listing.status().message();
  EXPECT_EQ(listing->commit, kCommit);
  EXPECT_EQ(listing->find("config.json")->blob, kBlob);
  EXPECT_EQ(listing->find("config.json")->size, 12);
  EXPECT_EQ(listing->find("x/model.safetensors")->blob, kSha256);
  EXPECT_EQ(listing->find("x/model.safetensors")->size, 7);
  EXPECT_EQ(listing->find("bare")->blob, "");
  EXPECT_EQ(listing->find("bare")->size, -1);
  EXPECT_EQ(listing->find("other"), nullptr);
}

TEST(Listing, RefusesWhatCannotBeTrusted) {
  const auto message = [](const std::string& text) {
    const auto listing = parse_listing(text, "the url");
    return listing.ok() ? "accepted" : listing.status().message();
  };
  EXPECT_TRUE(has_all(message("<html>"), {"the url"}));
  EXPECT_TRUE(has_all(message("[]"), {"the url", "sha"}));
  EXPECT_TRUE(has_all(message(R"({"sha": "../../etc", "siblings": []})"), {"sha", "../../etc"}));
  EXPECT_TRUE(has_all(message(R"({"sha": ")" + kCommit + "\"}"), {"siblings"}));
  for (const char* path : {"../x", "/etc/passwd", "a/../../b", ""}) {
    const std::string sibling = std::string(R"({"rfilename": ")") + path + "\"}";
    EXPECT_TRUE(has_all(message(listing_of(sibling)), {path, "not the name of a file"})) << path;
  }
  EXPECT_TRUE(has_all(message(listing_of(R"({"rfilename": "a", "blobId": "../x"})")),
                      {"a: ", "../x", "no checksum"}));
  EXPECT_TRUE(has_all(message(listing_of(R"({"rfilename": "a", "lfs": {"sha256": "1"}})")),
                      {"no checksum"}));
  EXPECT_TRUE(has_all(message(listing_of(R"({"rfilename": "a", "size": 9000000000000000000})")),
                      {"a: ", "9000000000000000000"}));
  EXPECT_TRUE(has_all(message(listing_of(R"({"rfilename": "a"}, {"rfilename": "a"})")),
                      {"a is listed twice"}));
}

TEST(Digest, OfGitAndSha256) {
  const TempDir dir;
  const std::string path = dir.write("hello", "hello\n");
  const auto go_on = [] { return true; };
  EXPECT_EQ(file_digest(path, DigestKind::git, go_on).value(),
            "ce013625030ba8dba906f756967f9e9ca394464a");
  EXPECT_EQ(file_digest(path, DigestKind::sha256, go_on).value(),
            "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03");
  EXPECT_EQ(file_digest(path, DigestKind::git, [] { return false; }).value(), "");
  EXPECT_EQ(file_digest(dir.path() + "/none", DigestKind::git, go_on).status().code(),
            ErrorCode::not_found);
}

TEST(HubCache, IsCompleteWhenAllIsThereOrKnownToBeAbsent) {
  const TempDir dir;
  const HubCache cache(dir.path(), *parse_model_id("org/name"));
  ASSERT_TRUE(cache.make_folders(kCommit).ok());
  EXPECT_EQ(cache.look(kCommit).missing, "config.json");
  const auto put = [&](const std::string& name, const std::string& text = "") {
    std::ofstream(cache.blob_path(kBlob)) << text;
    return cache.link(kCommit, {.path = name, .size = 0, .blob = kBlob}).ok();
  };
  ASSERT_TRUE(put("config.json"));
  EXPECT_EQ(cache.look(kCommit).missing, "model.safetensors");
  ASSERT_TRUE(put("model.safetensors"));
  EXPECT_TRUE(cache.look(kCommit).usable());
  EXPECT_FALSE(cache.look(kCommit).complete());
  for (const char* name : {"tokenizer.json", "tokenizer_config.json", "generation_config.json"}) {
    ASSERT_TRUE(put(name));
  }
  EXPECT_EQ(cache.look(kCommit).unknown, "chat_template.jinja");
  ASSERT_TRUE(cache.mark_absent(kCommit, "chat_template.jinja").ok());
  EXPECT_TRUE(cache.look(kCommit).complete());
  std::filesystem::remove(cache.blob_path(kBlob));
  EXPECT_FALSE(cache.look(kCommit).usable()) << "links that lead nowhere are no files";
}

TEST(HubCache, NeedsEveryShardOfTheIndex) {
  const TempDir dir;
  const HubCache cache(dir.path(), *parse_model_id("org/name"));
  const std::string snapshot = cache.snapshot(kCommit);
  std::filesystem::create_directories(snapshot);
  const auto put = [&](const std::string& name, const std::string& text) {
    std::ofstream(snapshot + "/" + name) << text;
  };
  put("config.json", "{}");
  put("model.safetensors.index.json", R"({"weight_map": {"a": "1.safetensors", "b": "2.st"}})");
  put("1.safetensors", "");
  EXPECT_EQ(cache.look(kCommit).missing, "2.st");
  put("2.st", "");
  EXPECT_TRUE(cache.look(kCommit).usable());
  put("model.safetensors.index.json", R"({"weight_map": {"a": "../1.safetensors"}})");
  EXPECT_EQ(cache.look(kCommit).missing, "model.safetensors.index.json");
}

TEST(HubCache, NeedsRoomForWhatIsToCome) {
  const TempDir dir;
  const HubCache cache(dir.path(), *parse_model_id("org/name"));
  ASSERT_TRUE(cache.make_folders(kCommit).ok());
  constexpr int64_t kTerabyte = int64_t{1} << 40;
  const std::vector<RepoFile> huge(1 << 12, {.path = "a", .size = kTerabyte, .blob = kBlob});
  EXPECT_TRUE(has_all(cache.check_room(huge).message(), {"models--org--name", "has room for"}));
  std::ofstream(cache.partial_path(kBlob)).close();
  std::filesystem::resize_file(cache.partial_path(kBlob), kTerabyte);  // takes no room: a hole
  EXPECT_TRUE(cache.check_room(huge).ok());
}

TEST(HubCache, RemembersWhereARevisionStood) {
  const TempDir dir;
  const HubCache cache(dir.path(), *parse_model_id("org/name"));
  EXPECT_FALSE(cache.commit_of("main").has_value());
  ASSERT_TRUE(cache.write_ref("refs/pr/1", kCommit).ok());
  EXPECT_EQ(cache.commit_of("refs/pr/1"), kCommit);
  EXPECT_EQ(cache.commit_of(kCommit), kCommit);
  EXPECT_EQ(base::read_file(dir.path() + "/models--org--name/refs/refs/pr/1", 100).value(),
            kCommit);
  dir.write("models--org--name/refs/bad", "../../../etc");
  EXPECT_FALSE(cache.commit_of("bad").has_value());
}

TEST(Hub, EnvironmentDecidesAsForHuggingFace) {
  for (const char* name : {"HF_ENDPOINT", "HF_TOKEN", "HF_TOKEN_PATH", "HF_HOME", "HF_HUB_CACHE",
                           "HF_HUB_OFFLINE", "XDG_CACHE_HOME"}) {
    ::unsetenv(name);
  }
  const TempDir dir;
  ::setenv("HOME", dir.path().c_str(), 1);
  EXPECT_EQ(hub_options_from_environment().cache, dir.path() + "/.cache/huggingface/hub");
  EXPECT_EQ(hub_options_from_environment().endpoint, "https://huggingface.co");
  EXPECT_FALSE(hub_options_from_environment().offline);
  ::setenv("XDG_CACHE_HOME", "/xdg", 1);
  EXPECT_EQ(hub_options_from_environment().cache, "/xdg/huggingface/hub");
  ::setenv("HF_HOME", "~/hf", 1);
  EXPECT_EQ(hub_options_from_environment().cache, dir.path() + "/hf/hub");
  std::filesystem::create_directory(dir.path() + "/hf");
  dir.write("hf/token", " from_file\n");
  EXPECT_EQ(hub_options_from_environment().token, "from_file");
  ::setenv("HF_TOKEN", "given", 1);
  EXPECT_EQ(hub_options_from_environment().token, "given");
  ::setenv("HF_HUB_CACHE", "/cache", 1);
  ::setenv("HF_HUB_OFFLINE", "yes", 1);
  ::setenv("HF_ENDPOINT", "http://mirror/", 1);
  const HubOptions options = hub_options_from_environment();
  EXPECT_EQ(options.cache, "/cache");
  EXPECT_TRUE(options.offline);
  EXPECT_EQ(options.endpoint, "http://mirror");
}

TEST(Hub, WhatExistsIsItself) {
  const TempDir dir;
  EXPECT_EQ(resolve_model(dir.path(), {}).value(), dir.path());
  const auto path = resolve_model(dir.path() + "/none", {});
  EXPECT_TRUE(has_all(path.status().message(), {"/none", "no such directory", "org/name"}));
  EXPECT_EQ(path.status().code(), ErrorCode::not_found);
  EXPECT_FALSE(resolve_model("org/../name", {}).ok());
}

TEST(Hub, AsksForAUsableEndpointTokenAndCache) {
  const TempDir dir;
  const auto message = [](const HubOptions& options) {
    return resolve_model("org/name", options).status().message();
  };
  EXPECT_TRUE(has_all(message({}), {"org/name", "cache", "HF_HUB_CACHE"}));
  EXPECT_TRUE(
      has_all(message({.endpoint = "ftp://x", .cache = dir.path()}), {"HF_ENDPOINT", "ftp://x"}));
  EXPECT_TRUE(has_all(message({.token = "a\r\nX: y", .cache = dir.path()}), {"HF_TOKEN"}));
  EXPECT_TRUE(has_all(message({.cache = dir.path(), .offline = true}),
                      {"org/name", "HF_HUB_OFFLINE", "refs/main"}));
}

}  // namespace
}  // namespace rsr::io
