#include "relay/keys/providers/aws_kms.h"

#include "relay/keys/providers/kms_answer.h"
#include "relay/keys/providers/limits.h"
#include "relay/keys/providers/threaded_provider.h"
#include "relay/outbound/https_call.h"
#include "relay/outbound/words.h"
#include "shared/base/json.h"

#include <fmt/format.h>

namespace sallyport::keys {
namespace {

std::string regional_endpoint(std::string_view region) {
  return fmt::format("https://kms.{}.amazonaws.com{}", region, region.starts_with("cn-") ? ".cn" : "");
}

Result<void> check(const AwsKmsConfig& config) {
  SP_CHECK(outbound::check_name("the region of AWS KMS", config.region, 40, "-"));
  SP_CHECK(outbound::check_name("the key of AWS KMS", config.key, 400, "-_/:"));
  SP_TRY(const auto credentials, config.credentials());
  SP_CHECK(outbound::check(credentials));
  if (!config.endpoint.empty()) SP_CHECK(outbound::check_https_origin("the endpoint of AWS KMS", config.endpoint));
  SP_CHECK(outbound::check_ca_file(config.ca_file));
  return check_deadline(config.deadline);
}

class AwsKms final : public BlockingProvider {
 public:
  AwsKms(AwsKmsConfig config, std::string endpoint, const Clock& clock)
      : config_(std::move(config)), endpoint_(std::move(endpoint)), clock_(clock), https_(config_.ca_file) {}

  Result<Bytes> wrap(const std::string& purpose, const Secret& key, const outbound::CallThread::Call& call) override {
    SP_TRY(const auto answer, post("TrentService.Encrypt", body("Plaintext", as_bytes(key.reveal()), purpose), call));
    return read_encrypt_answer(answer);
  }

  Result<Secret> unwrap(const std::string& purpose, const Bytes& wrapped,
                        const outbound::CallThread::Call& call) override {
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

  Result<outbound::AwsCredentials> current_credentials() const {
    auto credentials = config_.credentials();
    if (!credentials) return fail(Errc::unavailable, credentials.error().message);
    if (auto usable = outbound::check(*credentials); !usable) return fail(Errc::unavailable, usable.error().message);
    return credentials;
  }

  Result<outbound::HttpsAnswer> post(std::string_view target, Secret body, const outbound::CallThread::Call& call) {
    SP_TRY(const auto credentials, current_credentials());
    const outbound::SignedRequest request{.method = "POST",
                                          .path = "/",
                                          .query = {},
                                          .headers = {{"content-type", "application/x-amz-json-1.1"},
                                                      {"host", outbound::host_of(endpoint_)},
                                                      {"x-amz-target", std::string(target)}},
                                          .body = body.reveal()};
    outbound::HttpsRequest sent{.url = endpoint_ + "/", .headers = {}, .body = {}};
    sent.headers = outbound::signed_headers(request, clock_.wall(), {config_.region, "kms"}, credentials);
    sent.body = std::move(body);
    return https_.perform(sent, call);
  }

  const AwsKmsConfig config_;
  const std::string endpoint_;
  const Clock& clock_;
  outbound::HttpsClient https_;
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
