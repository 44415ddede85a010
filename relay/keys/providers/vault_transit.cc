#include "relay/keys/providers/vault_transit.h"

#include "relay/keys/providers/framed_key.h"
#include "relay/keys/providers/limits.h"
#include "relay/keys/providers/threaded_provider.h"
#include "relay/keys/providers/vault_answer.h"
#include "relay/outbound/https_call.h"
#include "relay/outbound/words.h"

#include <fmt/format.h>

namespace sallyport::keys {
namespace {

// Names that lead to a place of the API: no "..", no empty part.
Result<void> check_path(std::string_view what, std::string_view path) {
  SP_CHECK(outbound::check_name(what, path, 200, "-_./"));
  const auto whole = fmt::format("/{}/", path);
  if (whole.find("//") == whole.npos && whole.find("/./") == whole.npos && whole.find("/../") == whole.npos) return {};
  return fail(Errc::invalid,
              fmt::format("{} must be names parted by single slashes, and none of them \".\" or \"..\"", what));
}

Result<void> check_token(const Secret& token) { return outbound::check_word("Vault's token", token.reveal(), 2048); }

Result<void> check(const VaultTransitConfig& config) {
  SP_CHECK(outbound::check_https_origin("the address of Vault", config.address));
  SP_CHECK(check_path("the mount of Vault's Transit engine", config.mount));
  SP_CHECK(outbound::check_name("the key of Vault's Transit engine", config.key, 200, "-_"));
  SP_TRY(const auto token, config.token());
  SP_CHECK(check_token(token));
  if (!config.name_space.empty()) SP_CHECK(check_path("the namespace of Vault", config.name_space));
  SP_CHECK(outbound::check_ca_file(config.ca_file));
  return check_deadline(config.deadline);
}

// {"<name>":"<bytes, in base64>"}, without a copy of them left behind.
Secret body_with(std::string_view name, std::string_view text) {
  std::string json;
  json.reserve(name.size() + text.size() + 8);
  json.append("{\"").append(name).append("\":\"").append(text).append("\"}");
  return Secret::take(json);
}

class VaultTransit final : public BlockingProvider {
 public:
  explicit VaultTransit(VaultTransitConfig config) : config_(std::move(config)), https_(config_.ca_file) {}

  Result<Bytes> wrap(const std::string& purpose, const Secret& key, const outbound::CallThread::Call& call) override {
    const Secret frame = frame_key(purpose, key);
    const Secret text = Secret::take(base64(as_bytes(frame.reveal())));
    SP_TRY(const auto answer, post("encrypt", body_with("plaintext", text.reveal()), call));
    return read_transit_encrypt(answer);
  }

  Result<Secret> unwrap(const std::string& purpose, const Bytes& wrapped,
                        const outbound::CallThread::Call& call) override {
    SP_TRY(const auto ciphertext, unpack_ciphertext(wrapped));
    SP_TRY(const auto answer, post("decrypt", body_with("ciphertext", ciphertext), call));
    SP_TRY(const Secret frame, read_transit_decrypt(answer));
    return unframe_key(purpose, frame);
  }

  std::string describe() const override {
    const auto& space = config_.name_space;
    return fmt::format("Vault Transit key {}/{}{}{} at {}", config_.mount, config_.key,
                       space.empty() ? "" : " of namespace ", space, config_.address);
  }

 private:
  Result<Secret> current_token() const {
    auto token = config_.token();
    if (!token) return fail(Errc::unavailable, token.error().message);
    if (auto usable = check_token(*token); !usable) return fail(Errc::unavailable, usable.error().message);
    return token;
  }

  Result<outbound::HttpsAnswer> post(std::string_view action, Secret body, const outbound::CallThread::Call& call) {
    SP_TRY(const auto token, current_token());
    outbound::HttpsRequest request;
    request.url = fmt::format("{}/v1/{}/{}/{}", config_.address, config_.mount, action, config_.key);
    request.headers.push_back(Secret::take("Content-Type: application/json"));
    request.headers.push_back(outbound::header_line("X-Vault-Token", token.reveal()));
    if (!config_.name_space.empty())
      request.headers.push_back(Secret::take("X-Vault-Namespace: " + config_.name_space));
    request.body = std::move(body);
    return https_.perform(request, call);
  }

  const VaultTransitConfig config_;
  outbound::HttpsClient https_;
};

}  // namespace

Result<std::shared_ptr<BlockingProvider>> make_blocking_vault_transit(VaultTransitConfig config) {
  SP_CHECK(check(config));
  return std::make_shared<VaultTransit>(std::move(config));
}

Result<std::unique_ptr<Provider>> make_vault_transit(VaultTransitConfig config) {
  const auto deadline = config.deadline;
  SP_TRY(auto provider, make_blocking_vault_transit(std::move(config)));
  return on_a_thread(std::move(provider), {.deadline = deadline});
}

}  // namespace sallyport::keys
