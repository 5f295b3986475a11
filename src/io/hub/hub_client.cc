#include "io/hub/hub_client.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/check.h"
#include "io/hub/patience.h"

namespace rsr::io {
namespace {

using base::error;

constexpr size_t kMaxListingBytes = size_t{64} << 20;

/// An ETag without quotes and the mark of a weak one.
std::string unquoted(std::string_view etag) {
  if (etag.starts_with("W/")) etag.remove_prefix(2);
  if (etag.size() >= 2 && etag.starts_with('"') && etag.ends_with('"')) {
    etag = etag.substr(1, etag.size() - 2);
  }
  return std::string(etag);
}

int64_t number(const std::string& text) {
  int64_t value = -1;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  return failed == std::errc() && end == text.data() + text.size() ? value : -1;
}

/// A token with a line break in it would add headers of its own.
bool is_token(const std::string& token) {
  return std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

}  // namespace

HubClient::HubClient(ModelId id, const HubOptions& options, Meter* meter, HttpClient http)
    : id_(std::move(id)), options_(options), meter_(meter), http_(std::move(http)) {}

Result<HubClient> HubClient::create(const ModelId& id, const HubOptions& options, Meter* meter) {
  if (!options.endpoint.starts_with("https://") && !options.endpoint.starts_with("http://")) {
    return error(ErrorCode::invalid_argument, "HF_ENDPOINT is \"", options.endpoint,
                 "\", must begin with https:// or http://");
  }
  if (!is_token(options.token)) {
    return error(ErrorCode::invalid_argument,
                 "HF_TOKEN (or the token file) holds characters that no token has");
  }
  HttpOptions http = {.token = options.token,
                      .connect_seconds = options.connect_seconds,
                      .stall_seconds = options.stall_seconds};
  RSR_ASSIGN_OR_RETURN(HttpClient client,
                       HttpClient::create(std::move(http), [meter] { return meter->tick(); }));
  return HubClient(id, options, meter, std::move(client));
}

std::string HubClient::file_url(const std::string& commit, const std::string& path) const {
  return options_.endpoint + "/" + id_.name + "/resolve/" + commit + "/" + HttpClient::escape(path);
}

Status HubClient::explain(const HttpReply& reply, const std::string& url) const {
  if (!reply.refused.ok()) return reply.refused;
  if (reply.cancelled || meter_->cancelled()) return meter_->cancelled_status();
  if (!reply.failure.empty()) return error(ErrorCode::io_error, url, ": ", reply.failure);
  if (reply.status == 200 || reply.status == 206) return {};
  const std::string code = reply.header("x-error-code");  // a word of the hub's own
  const std::string at = " (" + url + " answered " + std::to_string(reply.status) + ")";
  if (code == "RevisionNotFound") {
    return error(ErrorCode::not_found, "there is no revision \"", id_.revision, "\" of the model",
                 at);
  }
  if (code == "EntryNotFound") {
    return error(ErrorCode::not_found, "the model has no such file", at);
  }
  if (code == "GatedRepo") {
    return error(ErrorCode::io_error, "the model is gated: ask for access at ", options_.endpoint,
                 "/", id_.name, ", and set HF_TOKEN to a token of that account", at);
  }
  if (reply.status == 401 || reply.status == 403) {
    return error(ErrorCode::io_error, "access denied: the model is gated or private, or there is ",
                 "no such model; ",
                 options_.token.empty() ? "set HF_TOKEN to a token that may read it"
                                        : "the token in HF_TOKEN may not read it",
                 at);
  }
  if (reply.status == 404) {
    return error(ErrorCode::not_found, "there is no such model or revision, and no directory of ",
                 "that name", at);
  }
  return error(ErrorCode::io_error, url, ": HTTP status ", reply.status);
}

Result<HttpReply> HubClient::ask(const HttpRequest& request, std::string* body) {
  Patience patience(options_, meter_);
  while (true) {
    body->clear();
    HttpReply reply = http_.send(request, [&](const HttpReply&, std::string_view piece) -> Status {
      body->append(piece);
      if (body->size() <= kMaxListingBytes) return {};
      return error(ErrorCode::limit_exceeded, request.url, ": more than ", kMaxListingBytes,
                   " bytes");
    });
    // What redirects said of a large file is enough, whatever they lead to says of HEAD.
    if (request.head && reply.whole() && !reply.header("x-linked-etag").empty()) return reply;
    const Status status = explain(reply, request.url);
    if (status.ok()) return reply;
    if (!reply.may_pass) return status;
    RSR_RETURN_IF_ERROR(patience.wait(status, reply.retry_after));
  }
}

Result<Listing> HubClient::list() {
  const std::string url = options_.endpoint + "/api/models/" + id_.name + "/revision/" +
                          HttpClient::escape(id_.revision) + "?blobs=true";
  std::string body;
  RSR_ASSIGN_OR_RETURN(const HttpReply reply, ask({.url = url}, &body));
  return parse_listing(body, url);
}

Status HubClient::complete(const std::string& commit, RepoFile* file) {
  if (!file->blob.empty()) return {};
  const std::string url = file_url(commit, file->path);
  std::string body;
  RSR_ASSIGN_OR_RETURN(const HttpReply reply, ask({.url = url, .head = true}, &body));
  const std::string linked = reply.header("x-linked-etag");
  file->blob = unquoted(linked.empty() ? reply.header("etag") : linked);
  if (!is_git_hash(file->blob) && !is_sha256(file->blob)) {
    return error(ErrorCode::corrupt_data, url, ": the server tells no checksum, neither in its ",
                 "listing nor as x-linked-etag or etag");
  }
  file->size = number(reply.header(linked.empty() ? "content-length" : "x-linked-size"));
  return {};
}

}  // namespace rsr::io
