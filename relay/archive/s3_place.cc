#include "relay/archive/s3_place.h"

#include "relay/outbound/call_thread.h"
#include "relay/outbound/https_call.h"
#include "relay/outbound/words.h"
#include "shared/crypto/digest.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::archive {

namespace asio = boost::asio;
using outbound::CallThread;
using outbound::HttpsMethod;

namespace {

constexpr std::string_view kScheme = "https://";

std::string_view verb_of(HttpsMethod method) {
  switch (method) {
    case HttpsMethod::put: return "PUT";
    case HttpsMethod::get: return "GET";
    case HttpsMethod::remove: return "DELETE";
    case HttpsMethod::post: break;
  }
  return "POST";
}

Result<void> check(const S3Config& config) {
  SP_CHECK(outbound::check_name("the region of the bucket", config.region, 40, "-"));
  SP_CHECK(outbound::check_name("the bucket", config.bucket, 63, "-."));
  if (!config.prefix.empty()) SP_CHECK(outbound::check_name("the prefix in the bucket", config.prefix, 200, "-_/."));
  SP_CHECK(outbound::check_https_origin("the endpoint of the bucket", config.endpoint));
  return outbound::check_ca_file(config.ca_file);
}

Errc code_of(long status, std::string_view code) {
  if (status == 403 || status == 401) return Errc::forbidden;
  if (status == 404 && code == "NoSuchKey") return Errc::not_found;
  return Errc::unavailable;
}

// What a call on the thread owns, should it be left behind.
class Bucket {
 public:
  Bucket(S3Config config, const Clock& clock) : config_(std::move(config)), clock_(clock), https_(config_.ca_file) {}

  std::string describe() const { return fmt::format("bucket {} at {}", config_.bucket, config_.endpoint); }

  Result<outbound::HttpsAnswer> perform(HttpsMethod method, std::string_view name, Secret body,
                                        const CallThread::Call& call) {
    SP_TRY(const auto credentials, current_credentials());
    auto sent = signed_request(method, name, std::move(body), credentials);
    auto answer = https_.perform(sent, call);
    if (!answer) return in_context(describe(), std::move(answer).error());
    if (answer->status / 100 == 2) return answer;
    const auto code = s3_error_code(answer->body.reveal());
    return fail(code_of(answer->status, code),
                fmt::format("{}: {} was answered with {} {}", describe(), verb_of(method), answer->status, code));
  }

 private:
  // Never not_found: the object may be there.
  Result<outbound::AwsCredentials> current_credentials() const {
    auto credentials = config_.credentials();
    if (!credentials) return fail(Errc::unavailable, credentials.error().message);
    if (auto usable = outbound::check(*credentials); !usable) return fail(Errc::unavailable, usable.error().message);
    return credentials;
  }
  std::string host() const {
    const auto host = outbound::host_of(config_.endpoint);
    return config_.style == BucketStyle::host ? config_.bucket + "." + host : host;
  }
  std::string path(std::string_view name) const {
    return config_.style == BucketStyle::host ? fmt::format("/{}{}", config_.prefix, name)
                                              : fmt::format("/{}/{}{}", config_.bucket, config_.prefix, name);
  }
  outbound::HttpsRequest signed_request(HttpsMethod method, std::string_view name, Secret body,
                                        const outbound::AwsCredentials& credentials) const {
    const outbound::SignedRequest request{
        .method = verb_of(method),
        .path = path(name),
        .query = {},
        .headers = {{"host", host()}, {"x-amz-content-sha256", hex(crypto::sha256(body.reveal()))}},
        .body = body.reveal()};
    outbound::HttpsRequest sent{.method = method, .url = std::string(kScheme) + host() + request.path};
    sent.headers = outbound::signed_headers(request, clock_.wall(), {config_.region, "s3"}, credentials);
    sent.headers.push_back(Secret::take(std::string("content-type: application/octet-stream")));
    sent.headers.push_back(Secret::take(std::string("expect:")));  // no round trip before the body
    if (method == HttpsMethod::get) sent.most_answer = kMostObject;
    sent.body = std::move(body);
    return sent;
  }

  S3Config config_;
  const Clock& clock_;
  outbound::HttpsClient https_;
};

class S3Place final : public Place {
 public:
  S3Place(S3Config config, const Clock& clock)
      : calls_({.waiting = 64, .deadline = config.deadline}),
        bucket_(std::make_shared<Bucket>(std::move(config), clock)) {}

  asio::awaitable<Result<void>> put(std::string name, Bytes object) override {
    SP_CO_TRY(const auto done, co_await perform(HttpsMethod::put, std::move(name), std::move(object)));
    (void)done;
    co_return Result<void>();
  }
  asio::awaitable<Result<Bytes>> get(std::string name) override {
    return perform(HttpsMethod::get, std::move(name), {});
  }
  asio::awaitable<Result<void>> remove(std::string name) override {
    const auto done = co_await perform(HttpsMethod::remove, std::move(name), {});
    if (!done && done.error().code != Errc::not_found) co_return std::unexpected(done.error());
    co_return Result<void>();
  }
  std::string describe() const override { return bucket_->describe(); }

 private:
  asio::awaitable<Result<Bytes>> perform(HttpsMethod method, std::string name, Bytes object) {
    return calls_.run<Bytes>([bucket = bucket_, method, name = std::move(name),
                              object = std::move(object)](const CallThread::Call& call) -> Result<Bytes> {
      SP_TRY(const auto answer, bucket->perform(method, name, Secret::take(std::string(as_text(object))), call));
      const auto bytes = as_bytes(answer.body.reveal());
      return Bytes(bytes.begin(), bytes.end());
    });
  }

  CallThread calls_;
  std::shared_ptr<Bucket> bucket_;
};

}  // namespace

std::string s3_error_code(std::string_view answer) {
  constexpr std::string_view kBefore = "<Code>";
  const auto begin = answer.find(kBefore);
  if (begin == std::string_view::npos) return {};
  const auto word = answer.substr(begin + kBefore.size(), 64);
  const auto end = std::ranges::find_if(
      word, [](char c) { return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9'); });
  return std::string(word.begin(), end);
}

Result<std::unique_ptr<Place>> make_s3_place(S3Config config, const Clock& clock) {
  if (config.endpoint.empty()) config.endpoint = fmt::format("https://s3.{}.amazonaws.com", config.region);
  SP_CHECK(check(config));
  return std::make_unique<S3Place>(std::move(config), clock);
}

}  // namespace sallyport::archive
