#pragma once

#include "shared/base/result.h"
#include "shared/base/secret.h"
#include "shared/base/value.h"

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::cli {

// Where the relay is and who asks. The server's certificate is checked against `root_pem` alone, never the system's
// roots.
struct Endpoint {
  std::string url;       // "https://relay.example:8443"
  std::string root_pem;  // the deployment's root certificate
  Secret token;
};

// A request to the API; `headers` are whole lines ("If-Match: \"3\"").
struct Call {
  std::string_view method;
  std::string path;
  std::string content_type;  // empty: no body
  std::string body;
  std::vector<std::string> headers;
};

struct Answer {
  unsigned status = 0;
  std::string content_type;
  std::string request_id;  // in the relay's log
  std::string tag;         // of the state it shows (ETag); empty: it has none
  std::string body;
};

// What an answer of 400 and above says: problem+json (RFC 9457) as one line, with the list of single problems below it
// if there is one.
Error error_of(const Answer& answer);

// One server-sent event (WHATWG HTML, section 9.2).
struct ServerEvent {
  std::string id;
  std::string name;
  std::string data;
};

enum class Flow { go_on, stop };

// Who follows a stream of events.
class Follower {
 public:
  virtual ~Follower() = default;
  virtual Flow on_event(const ServerEvent& event) = 0;
  virtual void on_bytes() {}  // something came, if only a sign of life
};

// Blocking HTTPS client of the web API on libcurl. One request at a time, over one connection as long as it lasts;
// through the proxy of the environment (https_proxy, no_proxy), but never to a relay on this machine.
// Answers of 4xx and 5xx become errors whose message is the problem document's title and detail, of 5xx with the
// request's id in the relay's log; bodies over 64 MiB are
// refused; every call has a deadline.
class Client {
 public:
  explicit Client(Endpoint endpoint);
  ~Client();

  Result<Value> get(std::string path) { return json({.method = "GET", .path = std::move(path)}); }
  Result<Value> remove(std::string path) { return json({.method = "DELETE", .path = std::move(path)}); }
  Result<Value> post(std::string path, const Value& body) { return with_body("POST", std::move(path), body); }
  // For a call that must not happen twice: with an Idempotency-Key of its own, and sent once more when the relay could
  // not be reached or broke off.
  Result<Value> post_once(std::string path, const Value& body);
  Result<Value> put(std::string path, const Value& body) { return with_body("PUT", std::move(path), body); }
  Result<Value> patch(std::string path, const Value& body) { return with_body("PATCH", std::move(path), body); }
  Result<Value> json(Call call);   // the body of the answer as JSON; null when it has none
  Result<Answer> send(Call call);  // the answer as it came

  // Follows a stream of events until the follower says stop or the relay ends it. timed_out: not one byte came for
  // `silence` (looked at once a second).
  Result<void> follow(std::string_view path, std::string_view last_event_id, std::chrono::milliseconds silence,
                      Follower& follower);

 private:
  Result<Value> with_body(std::string_view method, std::string path, const Value& body);

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Cuts the bytes of an event stream into events, however they arrive. No IO. Refuses an event over 4 MiB.
class EventReader {
 public:
  Result<void> feed(std::string_view bytes, const std::function<Flow(const ServerEvent&)>& on_event);
  bool stopped() const { return stopped_; }

 private:
  void take_line(std::string_view line, const std::function<Flow(const ServerEvent&)>& on_event);

  std::string pending_;
  ServerEvent event_;
  std::string last_id_;
  bool stopped_ = false;
};

}  // namespace sallyport::cli
