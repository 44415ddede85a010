#include "relay/keys/providers/aws_kms.h"

#include "relay/keys/providers/https_call.h"
#include "relay/keys/providers/kms_answer.h"
#include "relay/keys/providers/limits.h"
#include "relay/keys/providers/threaded_provider.h"
#include "shared/base/json.h"

#include <fmt/format.h>

namespace sallyport::keys {
namespace {

std::string regional_endpoint(std::string_view region) {
  return fmt::format("https://kms.{}.amazonaws.com{}", region, region.starts_with("cn-") ? ".cn" : "");
}

Result<void> check(const AwsKmsConfig& config) {
  SP_CHECK(check_name("the region of AWS KMS", config.region, 40, "-"));
  SP_CHECK(check_name("the key of AWS KMS", config.key, 400, "-_/:"));
  SP_CHECK(check_name("the access key id of AWS", config.credentials.access_key_id, 128, ""));
  SP_CHECK(check_word("the secret access key of AWS", config.credentials.secret_access_key.reveal(), 256));
  if (!config.credentials.session_token.empty()) {
    SP_CHECK(check_word("the session token of AWS", config.credentials.session_token.reveal(), 8192));
  }
  if (!config.endpoint.empty()) SP_CHECK(check_https_origin("the endpoint of AWS KMS", config.endpoint));
  SP_CHECK(check_ca_file(config.ca_file));
  return check_deadline(config.deadline);
}

class AwsKms final : public BlockingProvider {
 public:
  AwsKms(AwsKmsConfig config, std::string endpoint, const Clock& clock)
      : config_(std::move(config)), endpoint_(std::move(endpoint)), clock_(clock), https_(config_.ca_file) {}

  Result<Bytes> wrap(const std::string& purpose, const Secret& key, const CallThread::Call& call) override {
    SP_TRY(const auto answer, post("TrentService.Encrypt", body("Plaintext", as_bytes(key.reveal()), purpose), call));
    return read_encrypt_answer(answer);
  }

  Result<Secret> unwrap(const std::string& purpose, const Bytes& wrapped, const CallThread::Call& call) override {
    SP_TRY(const auto answer, post("TrentService.Decrypt", body("CiphertextBlob", wrapped, purpose), call));
    return read_decrypt_answer(answer);
  }

  std::string describe() const override { return fmt::format("AWS KMS key {} at {}", config_.key, endpoint_); }

 private:
  // Written here, and not by way of a Value, because no copy of the key may stay behind.
  Secret body(std::string_view name, std::span<const std::byte> bytes, const std::string& purpose) const {
    std::string encoded = base64(bytes);
    std::string json;
    json.reserve(encoded.size() + 2 * purpose.size() + config_.key.size() + 200);
    json.append("{\"KeyId\":");
    append_json_string(json, config_.key);
    json.append(",\"EncryptionContext\":{\"sallyport-purpose\":");
    append_json_string(json, purpose);
    json.append("},\"").append(name).append("\":\"").append(encoded).append("\"}");
    wipe(encoded.data(), encoded.size());
    return Secret::take(json);
  }

  Result<HttpsAnswer> post(std::string_view target, Secret body, const CallThread::Call& call) {
    const std::string date = amz_date(clock_.wall());
    SignedRequest request{.method = "POST", .path = "/", .query = {}, .headers = {}, .body = body.reveal()};
    request.headers = {{"content-type", "application/x-amz-json-1.1"},
                       {"host", host_of(endpoint_)},
                       {"x-amz-date", date},
                       {"x-amz-target", std::string(target)}};
    const auto& token = config_.credentials.session_token;
    if (!token.empty()) request.headers.emplace_back("x-amz-security-token", token.reveal());
    auto signature = authorization(request, date, {config_.region, "kms"}, config_.credentials);
    HttpsRequest sent{.url = endpoint_ + "/", .headers = {}, .body = {}};
    for (auto& [name, value] : request.headers) {
      sent.headers.push_back(Secret::take(fmt::format("{}: {}", name, value)));
      wipe(value.data(), value.size());
    }
    sent.headers.push_back(Secret::take("authorization: " + signature));
    sent.body = std::move(body);
    return https_.perform(sent, call);
  }

  const AwsKmsConfig config_;
  const std::string endpoint_;
  const Clock& clock_;
  HttpsClient https_;
};

}  // namespace

Result<std::shared_ptr<BlockingProvider>> make_blocking_aws_kms(AwsKmsConfig config, const Clock& clock) {
  SP_CHECK(check(config));
  auto endpoint = config.endpoint.empty() ? regional_endpoint(config.region) : config.endpoint;
  return std::make_shared<AwsKms>(std::move(config), std::move(endpoint), clock);
}

Result<std::unique_ptr<Provider>> make_aws_kms(AwsKmsConfig config, const Clock& clock) {
  const auto deadline = config.deadline;
  SP_TRY(auto provider, make_blocking_aws_kms(std::move(config), clock));
  return on_a_thread(std::move(provider), {.deadline = deadline});
}

}  // namespace sallyport::keys
