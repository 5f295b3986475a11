#include "io/hub/blob_download.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>
#include <system_error>

#include "base/check.h"
#include "io/hub/digest.h"
#include "io/hub/file_lock.h"
#include "io/hub/partial_file.h"
#include "io/hub/patience.h"

namespace rsr::io {
namespace {

using base::error;

constexpr int kChecksumTrials = 2;

/// "bytes 5-9/10" -> 5 and 10; nothing for anything else.
struct ContentRange {
  int64_t begin = 0;
  int64_t total = 0;
};

std::optional<ContentRange> parse_range(std::string_view text) {
  ContentRange range;
  const size_t dash = text.find('-');
  const size_t slash = text.find('/');
  if (!text.starts_with("bytes ") || dash == text.npos || slash == text.npos) return std::nullopt;
  const char* end = text.data() + text.size();
  const auto begin = std::from_chars(text.data() + 6, end, range.begin);
  const auto total = std::from_chars(text.data() + slash + 1, end, range.total);
  if (begin.ptr != text.data() + dash || total.ptr != end) return std::nullopt;
  return range;
}

class BlobDownload {
 public:
  BlobDownload(HubClient* client, const RepoFile& file, std::string url, PartialFile partial)
      : client_(*client),
        meter_(*client->meter()),
        patience_(client->options(), client->meter()),
        file_(file),
        url_(std::move(url)),
        partial_(std::move(partial)) {}

  Status run(const std::string& destination);

 private:
  Status receive_all();
  HttpReply attempt();
  Status begin(const HttpReply& head);
  Status take(const HttpReply& head, std::string_view piece);
  Status check_end(const HttpReply& reply);
  Result<bool> checksum_is_right();
  Status clear();

  HubClient& client_;
  Meter& meter_;
  Patience patience_;
  const RepoFile& file_;
  std::string url_;
  PartialFile partial_;
  std::string etag_;    // of the response that the bytes came from; empty: from an earlier run
  bool began_ = false;  // this attempt's response has been looked at
  bool unfit_ = false;  // it does not continue what is there: from the beginning, then
};

Status BlobDownload::clear() {
  etag_.clear();
  RSR_RETURN_IF_ERROR(partial_.clear());
  meter_.set(0);
  return {};
}

/// Before the first byte of a response: does it continue what is there?
Status BlobDownload::begin(const HttpReply& head) {
  began_ = true;
  int64_t total = -1;
  if (head.status == 206) {
    const std::optional<ContentRange> range = parse_range(head.header("content-range"));
    unfit_ = !range || range->begin != partial_.size();
    if (unfit_) return error(ErrorCode::corrupt_data, url_, ": not the range that was asked for");
    total = range->total;
  } else {
    // All of it: the file has changed, or the server knows no ranges.
    RSR_RETURN_IF_ERROR(clear());
    const std::string length = head.header("content-length");
    std::from_chars(length.data(), length.data() + length.size(), total);
  }
  if (file_.size >= 0 && total >= 0 && total != file_.size) {
    return error(ErrorCode::corrupt_data, url_, ": has ", total, " bytes, and the hub's listing ",
                 "says ", file_.size);
  }
  const std::string etag = head.header("etag");
  etag_ = etag.starts_with("W/") ? "" : etag;  // a weak one does not vouch for bytes
  return {};
}

Status BlobDownload::take(const HttpReply& head, std::string_view piece) {
  if (!began_) RSR_RETURN_IF_ERROR(begin(head));
  const auto count = static_cast<int64_t>(piece.size());
  if (file_.size >= 0 && partial_.size() + count > file_.size) {
    return error(ErrorCode::corrupt_data, url_, ": sends more than the ", file_.size,
                 " bytes that the hub's listing says");
  }
  RSR_RETURN_IF_ERROR(partial_.append(piece));
  meter_.set(partial_.size());
  meter_.receive(count);
  return {};
}

HttpReply BlobDownload::attempt() {
  began_ = false;
  unfit_ = false;
  const HttpRequest request = {.url = url_, .offset = partial_.size(), .if_range = etag_};
  HttpReply reply = client_.send(
      request, [this](const HttpReply& head, std::string_view piece) { return take(head, piece); });
  // 416: there is nothing behind what is here, so it is of another file.
  unfit_ = unfit_ || reply.status == 416;
  return reply;
}

/// A response may end early without anybody noticing but who knows the size.
Status BlobDownload::check_end(const HttpReply& reply) {
  RSR_RETURN_IF_ERROR(client_.explain(reply, url_));
  // A body without a single byte: nobody has looked at this response yet.
  if (!began_) RSR_RETURN_IF_ERROR(begin(reply));
  if (file_.size < 0 || partial_.size() == file_.size) return {};
  return error(ErrorCode::io_error, url_, ": ended after ", partial_.size(), " of ", file_.size,
               " bytes");
}

Status BlobDownload::receive_all() {
  if (file_.size >= 0 && partial_.size() > file_.size) RSR_RETURN_IF_ERROR(clear());
  meter_.set(partial_.size());
  while (file_.size < 0 || partial_.size() < file_.size || file_.size == 0) {
    const int64_t before = partial_.size();
    const HttpReply reply = attempt();
    Status status = check_end(reply);
    if (status.ok()) return {};
    if (unfit_) {
      RSR_RETURN_IF_ERROR(clear());
    } else if (!reply.may_pass && !(reply.whole() && began_)) {
      return status;
    }
    if (partial_.size() > before) patience_.renew();
    RSR_RETURN_IF_ERROR(patience_.wait(status, reply.retry_after));
  }
  return {};
}

Result<bool> BlobDownload::checksum_is_right() {
  const DigestKind kind = is_sha256(file_.blob) ? DigestKind::sha256 : DigestKind::git;
  // Of what lies on the disk, not of what came: both may have been damaged on the way.
  RSR_ASSIGN_OR_RETURN(const std::string digest,
                       file_digest(partial_.path(), kind, [this] { return meter_.tick(); }));
  if (meter_.cancelled()) return meter_.cancelled_status();
  return digest == file_.blob;
}

Status BlobDownload::run(const std::string& destination) {
  for (int trial = 1; trial <= kChecksumTrials; ++trial) {
    RSR_RETURN_IF_ERROR(receive_all());
    RSR_ASSIGN_OR_RETURN(const bool right, checksum_is_right());
    if (right) return partial_.finish(destination);
    // Whatever was wrong, more bytes after it do not help.
    RSR_RETURN_IF_ERROR(clear());
    if (trial < kChecksumTrials && client_.options().notice) {
      client_.options().notice(file_.path + ": wrong checksum; downloading it from the beginning");
    }
  }
  return error(ErrorCode::corrupt_data, url_, ": wrong checksum: what came is not the file ",
               file_.blob, " that the hub's listing says");
}

/// A file of that name whose size is not wrong.
bool has_blob(const std::string& path, int64_t size) {
  std::error_code failed;
  const auto found = std::filesystem::file_size(path, failed);
  return !failed && (size < 0 || found == static_cast<uint64_t>(size));
}

}  // namespace

Status download_blob(HubClient* client, const HubCache& cache, const std::string& commit,
                     const RepoFile& file) {
  Meter* meter = client->meter();
  const std::string destination = cache.blob_path(file.blob);
  meter->begin(file.path);
  const auto is_there = [&] {
    if (!has_blob(destination, file.size)) return false;
    meter->set(std::max<int64_t>(file.size, 0));
    return true;
  };
  if (is_there()) return {};
  RSR_ASSIGN_OR_RETURN(
      const FileLock lock,
      FileLock::acquire(
          cache.lock_path(file.blob), [meter] { return meter->tick(); },
          [&] {
            if (!client->options().notice) return;
            client->options().notice(file.path + ": another process is downloading it; waiting");
          }));
  if (!lock.held()) return meter->cancelled_status();
  if (is_there()) return {};  // thanks to the other process
  RSR_ASSIGN_OR_RETURN(PartialFile partial, PartialFile::open(cache.partial_path(file.blob)));
  return BlobDownload(client, file, client->file_url(commit, file.path), std::move(partial))
      .run(destination);
}

}  // namespace rsr::io
