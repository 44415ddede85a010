#include "relay/cli/client.h"

#include "relay/cli/transport.h"
#include "shared/base/clock.h"
#include "shared/base/json.h"
#include "shared/base/secret.h"
#include "shared/base/text.h"
#include "shared/crypto/random.h"

#include <curl/curl.h>
#include <fmt/format.h>

namespace sallyport::cli {
namespace {

constexpr std::size_t kMaxAnswer = 64u << 20;
constexpr std::size_t kMaxEvent = 4u << 20;
constexpr std::size_t kKeyBytes = 16;
constexpr long kRequestSeconds = 120;

struct CurlDeleter {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using Handle = std::unique_ptr<CURL, CurlDeleter>;
using Headers = std::unique_ptr<curl_slist, CurlDeleter>;

void append_header(Headers& headers, const std::string& line) {
  headers.reset(curl_slist_append(headers.release(), line.c_str()));
}

Errc code_of(unsigned status) {
  switch (status) {
    case 401: return Errc::unauthenticated;
    case 403: return Errc::forbidden;
    case 404: return Errc::not_found;
    case 409:
    case 412: return Errc::conflict;
    case 413: return Errc::too_large;
    case 429: return Errc::exhausted;
    case 502:
    case 503: return Errc::unavailable;
    case 504: return Errc::timed_out;
    default: return status >= 500 ? Errc::internal : Errc::invalid;
  }
}

std::string text_member(const Value& map, std::string_view name) {
  const Value* member = map.find(name);
  return member != nullptr && member->is(Value::Kind::string) ? member->as_string() : std::string();
}

// What the relay's log calls the request, for an answer whose cause only the relay knows.
std::string request_of(const Answer& answer) {
  const bool of_the_relay = answer.status >= 500 && !answer.request_id.empty();
  return of_the_relay ? fmt::format(" (request {})", answer.request_id) : std::string();
}

std::unexpected<Error> problem_of(const Answer& answer) { return std::unexpected(error_of(answer)); }

std::size_t collect(char* data, std::size_t, std::size_t size, void* into) {
  auto& body = *static_cast<std::string*>(into);
  if (body.size() + size > kMaxAnswer) return 0;
  body.append(data, size);
  return size;
}

struct Following {
  CURL* handle;
  Follower& follower;
  std::chrono::milliseconds silence;
  SystemClock clock{};
  SteadyTime last_byte = clock.steady();
  EventReader reader{};
  std::string refusal_body{};
  std::string problem{};
  bool silent = false;
};

std::size_t follow_bytes(char* data, std::size_t, std::size_t size, void* into) {
  auto& following = *static_cast<Following*>(into);
  following.last_byte = following.clock.steady();
  long status = 0;
  curl_easy_getinfo(following.handle, CURLINFO_RESPONSE_CODE, &status);
  if (status != 200) return collect(data, 1, size, &following.refusal_body);
  following.follower.on_bytes();
  const auto take = [&](const ServerEvent& event) { return following.follower.on_event(event); };
  if (auto fed = following.reader.feed({data, size}, take); !fed) {
    following.problem = fed.error().message;
    return 0;
  }
  return following.reader.stopped() ? 0 : size;
}

// libcurl's own limit is a rate, in bytes per second over five seconds: a few bytes every quarter of a minute are too
// few.
int watch_silence(void* of, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  auto& following = *static_cast<Following*>(of);
  following.silent = following.clock.steady() - following.last_byte > following.silence;
  return following.silent ? 1 : 0;
}

std::string header_of(CURL* handle, const char* name) {
  curl_header* found = nullptr;
  return curl_easy_header(handle, name, 0, CURLH_HEADER, -1, &found) == CURLHE_OK ? found->value : "";
}

std::unexpected<Error> transport_failure(CURLcode code, const char* detail, const std::string& url) {
  return std::unexpected(transport_error(code, detail, url));
}

}  // namespace

Error error_of(const Answer& answer) {
  const auto document = parse_json(answer.body);
  if (!document)
    return {code_of(answer.status), fmt::format("the relay answered {}{}", answer.status, request_of(answer))};
  std::string message = text_member(*document, "title");
  if (const auto detail = text_member(*document, "detail"); !detail.empty()) message += ": " + detail;
  if (message.empty()) message = fmt::format("the relay answered {}", answer.status);
  message += request_of(answer);
  if (const Value* errors = document->find("errors"); errors != nullptr && errors->is(Value::Kind::list)) {
    for (const auto& one : errors->as_list())
      message += fmt::format("\n  {}: {}", text_member(one, "where"), text_member(one, "what"));
  }
  return {code_of(answer.status), std::move(message)};
}

struct Client::Impl {
  Endpoint endpoint;
  char problem[CURL_ERROR_SIZE] = "";
  Handle handle{curl_easy_init()};

  explicit Impl(Endpoint where) : endpoint(std::move(where)) {}

  // The token goes into a header held by libcurl, never into argv or a URL.
  Headers headers_with(std::string_view content_type) const {
    Headers headers;
    std::string line = fmt::format("Authorization: Bearer {}", endpoint.token.reveal());
    if (!endpoint.token.empty()) append_header(headers, line);
    wipe(line.data(), line.size());
    append_header(headers, "Accept: application/json, application/problem+json, text/event-stream, text/yaml");
    append_header(headers, "Expect:");
    if (!content_type.empty()) append_header(headers, fmt::format("Content-Type: {}", content_type));
    return headers;
  }

  // The handle as new, but for its connection.
  CURL* open(const std::string& url) {
    curl_easy_reset(handle.get());
    set_transport(handle.get(), endpoint, url, problem);
    return handle.get();
  }
};

Client::Client(Endpoint endpoint) : impl_(std::make_unique<Impl>(std::move(endpoint))) {}
Client::~Client() = default;

Result<Answer> Client::send(Call call) {
  auto* handle = impl_->open(impl_->endpoint.url + call.path);
  auto headers = impl_->headers_with(call.content_type);
  for (const auto& line : call.headers) append_header(headers, line);
  Answer answer;
  const std::string verb(call.method);
  curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, verb.c_str());
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(handle, CURLOPT_TIMEOUT, kRequestSeconds);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, &collect);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &answer.body);
  if (!call.content_type.empty()) {
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, call.body.data());
    curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(call.body.size()));
  }
  const auto code = curl_easy_perform(handle);
  wipe(call.body.data(), call.body.size());  // some bodies have a secret
  if (code != CURLE_OK) {
    return transport_failure(code, impl_->problem, impl_->endpoint.url);
  }
  long status = 0;
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  const char* type = nullptr;
  curl_easy_getinfo(handle, CURLINFO_CONTENT_TYPE, &type);
  answer.status = static_cast<unsigned>(status);
  answer.content_type = type != nullptr ? type : "";
  answer.request_id = header_of(handle, "X-Request-Id");
  answer.tag = header_of(handle, "ETag");
  if (answer.status >= 400) return problem_of(answer);
  return answer;
}

Result<Value> Client::json(Call call) {
  SP_TRY(auto answer, send(std::move(call)));
  if (answer.body.empty()) return Value();
  return parse_shown_json(answer.body, {.max_bytes = kMaxAnswer});  // outputs of steps may hold bodies
}

Result<Value> Client::post_once(std::string path, const Value& body) {
  const Call call{.method = "POST",
                  .path = std::move(path),
                  .content_type = "application/json",
                  .body = to_json(body),
                  .headers = {fmt::format("Idempotency-Key: {}", hex(crypto::random_bytes(kKeyBytes)))}};
  auto answer = json(call);
  if (answer || answer.error().code != Errc::unavailable) return answer;
  return json(call);
}

Result<Value> Client::with_body(std::string_view method, std::string path, const Value& body) {
  return json({.method = method,
               .path = std::move(path),
               .content_type = "application/json",
               .body = to_json(body),
               .headers = {}});
}

Result<void> Client::follow(std::string_view path, std::string_view last_event_id, std::chrono::milliseconds silence,
                            Follower& follower) {
  auto* handle = impl_->open(impl_->endpoint.url + std::string(path));
  auto headers = impl_->headers_with("");
  if (!last_event_id.empty()) append_header(headers, fmt::format("Last-Event-ID: {}", last_event_id));
  Following following{.handle = handle, .follower = follower, .silence = silence};
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, &watch_silence);
  curl_easy_setopt(handle, CURLOPT_XFERINFODATA, &following);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, &follow_bytes);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &following);
  const auto code = curl_easy_perform(handle);
  if (following.reader.stopped()) return {};
  if (!following.problem.empty()) return fail(Errc::too_large, following.problem);
  if (following.silent)
    return fail(Errc::timed_out,
                fmt::format("{} has said nothing for {}", impl_->endpoint.url, format_duration(silence)));
  long status = 0;
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  if (status >= 400)
    return problem_of({static_cast<unsigned>(status), "", header_of(handle, "X-Request-Id"), following.refusal_body});
  if (code != CURLE_OK) return transport_failure(code, impl_->problem, impl_->endpoint.url);
  return {};
}

Result<void> EventReader::feed(std::string_view bytes, const std::function<Flow(const ServerEvent&)>& on_event) {
  pending_ += bytes;
  std::size_t start = 0;
  for (auto end = pending_.find('\n'); end != std::string::npos && !stopped_; end = pending_.find('\n', start)) {
    auto line = std::string_view(pending_).substr(start, end - start);
    if (line.ends_with('\r')) line.remove_suffix(1);
    take_line(line, on_event);
    start = end + 1;
  }
  pending_.erase(0, start);
  if (pending_.size() + event_.data.size() > kMaxEvent)
    return fail(Errc::too_large, "an event over 4 MiB from the relay");
  return {};
}

void EventReader::take_line(std::string_view line, const std::function<Flow(const ServerEvent&)>& on_event) {
  if (line.empty()) {
    if (!event_.data.empty()) {
      event_.data.pop_back();
      event_.id = last_id_;
      stopped_ = on_event(event_) == Flow::stop;
    }
    event_ = {};
    return;
  }
  const auto colon = line.find(':');
  const auto field = line.substr(0, colon);
  auto value = colon == std::string_view::npos ? std::string_view() : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (field == "data") {
    event_.data += value;
    event_.data += '\n';
  } else if (field == "event") {
    event_.name = value;
  } else if (field == "id") {
    last_id_ = value;
  }
}

}  // namespace sallyport::cli
