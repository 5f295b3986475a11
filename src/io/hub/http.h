// One HTTP request at a time, by libcurl, which knows the protocol, TLS, proxies and redirects.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "io/hub/keep_going.h"
#include "rsr/status.h"

namespace rsr::io {

struct HttpOptions {
  std::string token = {};    ///< bearer; goes to no other host, port or protocol than the URL's own
  int connect_seconds = 15;  ///< for making a connection
  int stall_seconds = 30;    ///< a transfer below 1 KiB a second for so long is broken off
};

struct HttpRequest {
  std::string url;
  bool head = false;          ///< ask for the headers only
  int64_t offset = 0;         ///< ask for the bytes from here on, where it is not 0
  std::string if_range = {};  ///< an ETag: send from the offset on only if the file still has it
};

/// What came of a request: the last response, when there was one, and whether it came whole.
struct HttpReply {
  int status = 0;  ///< 0: no response came
  /// Of the last response, names in lower case; what a redirect said in x-linked-... and
  /// x-error-... stays, for it is about the file and not about the redirect.
  std::map<std::string, std::string> headers = {};
  std::string failure = {};             ///< why the exchange broke off; empty: it did not
  bool may_pass = false;                ///< failure or status may be gone the next time
  std::chrono::seconds retry_after{0};  ///< what the server asks for; 0: nothing
  Status refused = {};                  ///< the error of the sink that ended the transfer
  bool cancelled = false;

  bool whole() const { return failure.empty() && refused.ok() && !cancelled; }
  /// Empty when the last response has no such header.
  std::string header(const std::string& name) const;
};

/// Takes the body of a response with status 200 or 206, piece by piece; an error ends the transfer.
using HttpSink = std::function<Status(const HttpReply& head, std::string_view piece)>;

class HttpClient {
 public:
  /// `keep_going` is asked during transfers, about once a second at least.
  static Result<HttpClient> create(HttpOptions options, KeepGoing keep_going);

  HttpReply send(const HttpRequest& request, const HttpSink& sink);

  /// Text made safe for one part of the path of a URL; a slash becomes %2F.
  static std::string escape(std::string_view text);

 private:
  struct Close {
    void operator()(void* curl) const;
  };
  HttpClient(HttpOptions options, KeepGoing keep_going, void* curl);

  HttpOptions options_;
  KeepGoing keep_going_;
  std::unique_ptr<void, Close> curl_;  // one handle: its connections are used again
  bool reached_ = false;               // some server has answered
};

}  // namespace rsr::io
