#include "io/hub/http.h"

#include <curl/curl.h>

#include <algorithm>
#include <cctype>
#include <utility>

#include "base/check.h"
#include "rsr/version.h"

namespace rsr::io {
namespace {

constexpr long kSlowBytesPerSecond = 1024;
constexpr long kMaxRedirects = 8;

/// What the callbacks of one transfer know.
struct Transfer {
  CURL* curl;
  HttpReply* reply;
  const HttpSink* sink;
  const KeepGoing* keep_going;
};

struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using HeaderList = std::unique_ptr<curl_slist, FreeList>;

bool add_header(HeaderList* list, const std::string& line) {
  curl_slist* longer = curl_slist_append(list->get(), line.c_str());
  if (longer == nullptr) return false;
  (void)list->release();
  list->reset(longer);
  return true;
}

bool is_about_the_file(const std::string& header) {
  return header.starts_with("x-linked-") || header.starts_with("x-error-");
}

void begin_response(HttpReply* reply) {
  std::erase_if(reply->headers,
                [](const auto& header) { return !is_about_the_file(header.first); });
}

size_t on_header(char* data, size_t size, size_t count, void* user) {
  HttpReply* reply = static_cast<Transfer*>(user)->reply;
  std::string_view line(data, size * count);
  while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
  const size_t colon = line.find(':');
  if (line.starts_with("HTTP/")) {
    begin_response(reply);
  } else if (colon != line.npos) {
    std::string name(line.substr(0, colon));
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    std::string_view value = line.substr(colon + 1);
    while (value.starts_with(' ') || value.starts_with('\t')) value.remove_prefix(1);
    // What the hub itself said of the file is not for the storage behind it to change.
    if (is_about_the_file(name)) {
      reply->headers.emplace(std::move(name), value);
    } else {
      reply->headers.insert_or_assign(std::move(name), std::string(value));
    }
  }
  return size * count;
}

int status_of(CURL* curl) {
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  return static_cast<int>(status);
}

size_t on_body(char* data, size_t size, size_t count, void* user) {
  auto* transfer = static_cast<Transfer*>(user);
  HttpReply* reply = transfer->reply;
  reply->status = status_of(transfer->curl);
  if (reply->status != 200 && reply->status != 206) return size * count;  // some error's page
  reply->refused = (*transfer->sink)(*reply, {data, size * count});
  // Any other number than all of them ends the transfer.
  return reply->refused.ok() ? size * count : size * count + 1;
}

int on_progress(void* user, curl_off_t /*down_total*/, curl_off_t /*down*/, curl_off_t /*up_total*/,
                curl_off_t /*up*/) {
  auto* transfer = static_cast<Transfer*>(user);
  if ((*transfer->keep_going)()) return 0;
  transfer->reply->cancelled = true;
  return 1;
}

void set_limits(CURL* curl, const HttpOptions& options) {
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(curl, CURLOPT_MAXREDIRS, kMaxRedirects);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, static_cast<long>(options.connect_seconds));
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, kSlowBytesPerSecond);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, static_cast<long>(options.stall_seconds));
}

/// HTTP only, and what began encrypted stays so.
void set_protocols(CURL* curl, const std::string& url) {
  const bool encrypted = url.starts_with("https:");
#if LIBCURL_VERSION_NUM >= 0x075500  // 7.85 has names in place of bits
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, encrypted ? "https" : "http,https");
#else
  constexpr long kBoth = CURLPROTO_HTTP | CURLPROTO_HTTPS;
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS, kBoth);
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS, encrypted ? long{CURLPROTO_HTTPS} : kBoth);
#endif
}

void set_request(CURL* curl, const HttpRequest& request, const std::string& token) {
  curl_easy_setopt(curl, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(curl, CURLOPT_USERAGENT, (std::string("rsr/") + version()).c_str());
  curl_easy_setopt(curl, CURLOPT_NOBODY, request.head ? 1L : 0L);
  if (request.offset > 0) {
    curl_easy_setopt(curl, CURLOPT_RANGE, (std::to_string(request.offset) + "-").c_str());
  }
  if (!token.empty()) {
    // As a credential and not as a header of our own: libcurl keeps it from other hosts.
    curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
    curl_easy_setopt(curl, CURLOPT_XOAUTH2_BEARER, token.c_str());
  }
}

void set_callbacks(CURL* curl, Transfer* transfer, char* message) {
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, transfer);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, transfer);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, message);
}

/// A failure that has to do with the network's or the server's moment, not with the request.
bool failure_may_pass(CURLcode code, bool reached) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
      return reached;  // whoever is offline, or mistyped the host, need not wait
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
      return true;
    default:
      return false;
  }
}

bool status_may_pass(int status) {
  return status == 408 || status == 429 || (status >= 500 && status != 501 && status != 505);
}

}  // namespace

std::string HttpReply::header(const std::string& name) const {
  const auto it = headers.find(name);
  return it == headers.end() ? "" : it->second;
}

void HttpClient::Close::operator()(void* curl) const {
  curl_easy_cleanup(curl);
}

HttpClient::HttpClient(HttpOptions options, KeepGoing keep_going, void* curl)
    : options_(std::move(options)), keep_going_(std::move(keep_going)), curl_(curl) {}

Result<HttpClient> HttpClient::create(HttpOptions options, KeepGoing keep_going) {
  static const CURLcode global = curl_global_init(CURL_GLOBAL_DEFAULT);
  CURL* curl = global == CURLE_OK ? curl_easy_init() : nullptr;
  if (curl == nullptr) return base::error(ErrorCode::io_error, "libcurl cannot be initialised");
  return HttpClient(std::move(options), std::move(keep_going), curl);
}

HttpReply HttpClient::send(const HttpRequest& request, const HttpSink& sink) {
  CURL* curl = curl_.get();
  HttpReply reply;
  Transfer transfer = {curl, &reply, &sink, &keep_going_};
  char message[CURL_ERROR_SIZE] = "";
  HeaderList headers;
  bool enough_memory = add_header(&headers, "Accept-Encoding: identity");
  if (!request.if_range.empty()) {
    enough_memory = enough_memory && add_header(&headers, "If-Range: " + request.if_range);
  }
  curl_easy_reset(curl);  // keeps the connections
  set_limits(curl, options_);
  set_protocols(curl, request.url);
  set_request(curl, request, options_.token);
  set_callbacks(curl, &transfer, message);
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
  const CURLcode code = enough_memory ? curl_easy_perform(curl) : CURLE_OUT_OF_MEMORY;
  reply.status = status_of(curl);
  reached_ = reached_ || reply.status != 0;
  if (code == CURLE_OK) {
    reply.may_pass = status_may_pass(reply.status);
  } else if (!reply.cancelled && reply.refused.ok()) {
    reply.failure = message[0] != '\0' ? message : curl_easy_strerror(code);
    reply.may_pass = failure_may_pass(code, reached_);
  }
  curl_off_t wait = 0;
  curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &wait);
  reply.retry_after = std::chrono::seconds(wait);
  return reply;
}

std::string HttpClient::escape(std::string_view text) {
  char* escaped = curl_easy_escape(nullptr, text.data(), static_cast<int>(text.size()));
  if (escaped == nullptr) return std::string(text);
  std::string result = escaped;
  curl_free(escaped);
  return result;
}

}  // namespace rsr::io
