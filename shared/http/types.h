#pragma once

#include "shared/async/byte_stream.h"
#include "shared/base/clock.h"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace sallyport::http {

enum class Method { get, head, post, put, patch, del };
std::string_view to_string(Method method);  // "GET"
std::optional<Method> parse_method(std::string_view text);

struct HeaderField {
  std::string name;
  std::string value;
  friend bool operator==(const HeaderField&, const HeaderField&) = default;
};

// Header fields in the order they came; names compare without case (RFC 9110 §5.1).
class Headers {
 public:
  const std::string* find(std::string_view name) const;  // the first one of that name
  std::size_t count(std::string_view name) const;
  void add(std::string_view name, std::string_view value);
  void set(std::string_view name, std::string_view value);  // replaces every field of that name
  const std::vector<HeaderField>& fields() const { return fields_; }

 private:
  std::vector<HeaderField> fields_;
};

bool equal_names(std::string_view a, std::string_view b);  // ASCII, without case

struct QueryParameter {
  std::string name;
  std::string value;
  friend bool operator==(const QueryParameter&, const QueryParameter&) = default;
};

// One request up to its body, as the gate let it through: normal path, decoded parts, unambiguous framing.
struct RequestHead {
  Method method = Method::get;
  std::string target;  // exactly as sent; may hold secrets after '?': never log it
  std::string path;    // the target without the query; safe to log
  std::vector<std::string>
      segments;  // of the path, percent-decoded: {"v1", "agents", "agt_..."}; never "", "." or ".."
  std::vector<QueryParameter> query;  // percent-decoded, '+' is a space; in order, repeats kept
  Headers headers;
  std::string host;
  std::optional<std::uint64_t> content_length;
  bool chunked = false;
  bool keep_alive = true;
  bool expects_continue = false;
  bool offers_upgrade = false;  // Connection: upgrade; then keep_alive is false, whatever the answer is

  std::string request_id;  // ours, or the caller's if it was well formed
  std::string peer;        // address of the other end of the TCP connection, without the port
  SteadyTime deadline;     // by which the answer must be complete

  bool has_body() const { return chunked || content_length.value_or(0) > 0; }
};

struct Request {
  RequestHead head;
  std::string body;
};

// `actor` names the caller in the access log and is not sent.
struct Response {
  int status = 200;
  Headers headers;
  std::string body;
  std::string actor;
};

// One server-sent event (HTML standard §9.2). `id` comes back as Last-Event-ID when the client resumes.
struct ServerEvent {
  std::string id;
  std::string name;
  std::string data;  // any text without a carriage return; a line feed starts a second data line
};

// Gives events until it has no more. Owned by the connection that plays it and destroyed with it.
class EventSource {
 public:
  virtual ~EventSource() = default;
  // The next event; nothing when the stream is at its end; an event with empty name and data when `deadline` passed
  // and the connection should only prove that it lives. May be cancelled.
  virtual boost::asio::awaitable<std::optional<ServerEvent>> next(SteadyTime deadline) = 0;
};

// A live answer of type text/event-stream; always 200, and the connection's last one. Where `actor` has as many as
// Limits::max_streams() leave to one, it is answered with 503 and Retry-After instead.
struct StreamResponse {
  Headers headers;
  std::unique_ptr<EventSource> events;
  std::string actor;
};

// The connection becomes something else (RFC 9110 section 7.8): 101, and from then on it is `serve`'s, until that
// returns. What the client sent behind its request comes first out of the stream, which dies before the connection
// does. No limit of requests holds for it any more; it counts as a connection. A stopping server cuts it after its
// drain, and a cancelled one cancels `serve`. To a request that did not ask for `protocol`, or asked in a way that is
// not unmistakable (upgrade.h), the answer is 426, and `serve` is not called; nor is it when as many as
// Limits::max_upgraded() have become something else, which is answered with 503 and Retry-After.
struct UpgradeResponse {
  std::string protocol;  // of the Upgrade field: "sallyport-tunnel/1"
  Headers headers;       // of the 101, besides Upgrade and Connection
  std::function<boost::asio::awaitable<void>(std::unique_ptr<ByteStream>)> serve;
  std::string actor;
};

using Reply = std::variant<Response, StreamResponse, UpgradeResponse>;

// One request that was admitted by its head alone: how much body it may have, and then its answer.
class Exchange {
 public:
  virtual ~Exchange() = default;
  virtual std::size_t body_limit() const = 0;
  virtual boost::asio::awaitable<Reply> answer(Request request) = 0;
};

using Admission = std::variant<Response, std::unique_ptr<Exchange>>;

// What the edge serves. Called on the connection's executor; outlives every connection.
// An exception that leaves either call is answered with 500 and logged.
class Handler {
 public:
  virtual ~Handler() = default;
  // Decides before any byte of the body is read: a refusal now (the connection then closes if a body was announced),
  // or the exchange that will answer.
  virtual boost::asio::awaitable<Admission> admit(const RequestHead& head) = 0;
};

}  // namespace sallyport::http
