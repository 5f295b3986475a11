// What the hub's server is asked, and what its refusals mean.
#pragma once

#include <string>

#include "io/hub/http.h"
#include "io/hub/hub.h"
#include "io/hub/listing.h"
#include "io/hub/meter.h"
#include "io/hub/model_id.h"

namespace rsr::io {

class HubClient {
 public:
  /// `options` and `meter` must outlive it. Errors: an endpoint or a token that cannot be used.
  static Result<HubClient> create(const ModelId& id, const HubOptions& options, Meter* meter);

  /// The commit that the revision stands at, and its files.
  Result<Listing> list();
  /// Asks for the checksum and the size of a file where the listing did not tell them.
  Status complete(const std::string& commit, RepoFile* file);

  std::string file_url(const std::string& commit, const std::string& path) const;
  HttpReply send(const HttpRequest& request, const HttpSink& sink) {
    return http_.send(request, sink);
  }
  /// The error that a reply stands for; ok for a whole one with status 200 or 206.
  Status explain(const HttpReply& reply, const std::string& url) const;

  const HubOptions& options() const { return options_; }
  Meter* meter() const { return meter_; }

 private:
  HubClient(ModelId id, const HubOptions& options, Meter* meter, HttpClient http);
  /// With retries; `body` takes what came.
  Result<HttpReply> ask(const HttpRequest& request, std::string* body);

  ModelId id_;
  const HubOptions& options_;
  Meter* meter_;
  HttpClient http_;
};

}  // namespace rsr::io
