#include "relay/keys/providers/pkcs11.h"

#include "relay/keys/providers/limits.h"
#include "relay/keys/providers/pkcs11_token.h"
#include "relay/keys/providers/threaded_provider.h"
#include "shared/base/utf8.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <vector>

namespace sallyport::keys {
namespace {

constexpr std::size_t kMaxTokenLabel = 32;  // the standard's field
constexpr std::size_t kMaxKeyLabel = 128;
constexpr std::size_t kMaxPin = 255;
constexpr std::size_t kMostRefused = 16;  // PINs that are remembered

Result<void> check_label(std::string_view what, std::string_view label, std::size_t most) {
  if (!label.empty() && label.size() <= most && is_valid_utf8(label) && !steers_text(label)) return {};
  return fail(Errc::invalid, fmt::format("{} must be 1 to {} bytes of text", what, most));
}

Result<Secret> pin_of(const Pkcs11Config& config) {
  auto pin = config.pin();
  if (!pin || (!pin->empty() && pin->size() <= kMaxPin)) return pin;
  return fail(Errc::invalid, fmt::format("the token's PIN must have 1 to {} bytes", kMaxPin));
}

Result<void> check(const Pkcs11Config& config) {
  if (!std::filesystem::path(config.module).is_absolute()) {
    return fail(Errc::invalid, "the PKCS#11 module must be given by its whole path");
  }
  SP_CHECK(check_label("the token's label", config.token, kMaxTokenLabel));
  SP_CHECK(check_label("the key's label", config.key, kMaxKeyLabel));
  SP_CHECK(pin_of(config));
  return check_deadline(config.deadline);
}

std::string name_of(const Pkcs11Config& config) {
  return fmt::format("PKCS#11 key {} of token {} ({})", config.key, config.token, config.module);
}

class Pkcs11 final : public BlockingProvider {
 public:
  Pkcs11(Pkcs11Config config, std::shared_ptr<Pkcs11Module> module)
      : config_(std::move(config)), module_(std::move(module)) {}

  ~Pkcs11() override {
    if (!open_) return;
    if (auto use = module_->use(std::chrono::steady_clock::now())) close(*use);
  }

  Result<Bytes> wrap(const std::string& purpose, const Secret& key, const outbound::CallThread::Call& call) override {
    return attempt_twice<Bytes>(call, [&](Pkcs11Module::Use& use, const Open& open) {
      return seal_in_token(use, open.session, open.key, purpose, key.reveal());
    });
  }

  Result<Secret> unwrap(const std::string& purpose, const Bytes& wrapped,
                        const outbound::CallThread::Call& call) override {
    return attempt_twice<Secret>(call, [&](Pkcs11Module::Use& use, const Open& open) {
      return open_in_token(use, open.session, open.key, purpose, wrapped);
    });
  }

  std::string describe() const override { return name_of(config_); }

 private:
  struct Open {
    TokenSession session;
    CK_OBJECT_HANDLE key;
  };
  struct Refused {
    Secret pin;
    CkError answer;
  };

  template <class T, class Work>
  Result<T> attempt_twice(const outbound::CallThread::Call& call, Work work) {
    auto outcome = attempt<T>(call, work);
    if (!outcome && outcome.error().lost() && !call.given_up()) {
      Pkcs11Module::restart(module_, call.deadline());
      outcome = attempt<T>(call, work);
    }
    if (!outcome) return std::unexpected(std::move(outcome).error().error);
    return *std::move(outcome);
  }

  template <class T, class Work>
  CkResult<T> attempt(const outbound::CallThread::Call& call, Work& work) {
    SP_TRY(auto use, module_->use(call.deadline()));
    SP_TRY(const Open open, opened(use));
    auto outcome = work(use, open);
    if (!outcome && outcome.error().lost()) close(use);
    return outcome;
  }

  CkResult<Open> opened(Pkcs11Module::Use& use) {
    if (open_ && open_->session.generation == use.generation()) return *open_;
    open_.reset();
    SP_TRY(const auto session, logged_in(use));
    auto key = find_key(use, session, config_.key);
    open_ = Open{session, key ? *key : CK_INVALID_HANDLE};
    if (key) return *open_;
    close(use);
    return std::unexpected(std::move(key).error());
  }

  CkResult<TokenSession> logged_in(Pkcs11Module::Use& use) {
    auto pin = pin_of(config_);
    if (!pin) return ck_fail(Errc::unavailable, std::move(pin).error().message);  // not the token's word
    const auto known = std::ranges::find(refused_, pin->reveal(), [](const Refused& one) { return one.pin.reveal(); });
    if (known != refused_.end()) return std::unexpected(known->answer);
    auto session = open_token(use, config_.token, *pin, Access::read);
    if (session || !session.error().pin_refused()) return session;
    if (refused_.size() == kMostRefused) refused_.erase(refused_.begin());
    refused_.push_back({*std::move(pin), session.error()});
    return session;
  }

  void close(Pkcs11Module::Use& use) {
    if (open_ && open_->session.generation == use.generation()) use->C_CloseSession(open_->session.handle);
    open_.reset();
  }

  const Pkcs11Config config_;
  const std::shared_ptr<Pkcs11Module> module_;
  std::optional<Open> open_;
  std::vector<Refused> refused_;  // oldest first
};

CkResult<> make_key(Pkcs11Module::Use& use, const TokenSession& session, const std::string& label) {
  const auto known = find_key(use, session, label);
  if (known || known.error().error.code == Errc::invalid) {
    return ck_fail(Errc::conflict, "the token has a key with this label already");
  }
  if (known.error().error.code != Errc::not_found) return std::unexpected(known.error());
  return generate_key(use, session, label);
}

CkResult<> make_key(const Pkcs11Config& config, const std::shared_ptr<Pkcs11Module>& module) {
  SP_TRY(auto use, module->use(std::chrono::steady_clock::now() + config.deadline));
  auto pin = pin_of(config);
  if (!pin) return std::unexpected(CkError{CKR_OK, std::move(pin).error()});
  SP_TRY(const auto session, open_token(use, config.token, *pin, Access::write));
  auto made = make_key(use, session, config.key);
  use->C_CloseSession(session.handle);
  return made;
}

}  // namespace

Result<std::shared_ptr<BlockingProvider>> make_blocking_pkcs11(Pkcs11Config config) {
  SP_CHECK(check(config));
  SP_TRY(auto module, Pkcs11Module::load(config.module));
  return std::make_shared<Pkcs11>(std::move(config), std::move(module));
}

Result<std::unique_ptr<Provider>> make_pkcs11(Pkcs11Config config) {
  const auto deadline = config.deadline;
  SP_TRY(auto provider, make_blocking_pkcs11(std::move(config)));
  return on_a_thread(std::move(provider), {.deadline = deadline});
}

Result<void> make_pkcs11_key(const Pkcs11Config& config) {
  SP_CHECK(check(config));
  SP_TRY(const auto module, Pkcs11Module::load(config.module));
  auto made = make_key(config, module);
  if (!made) return in_context(name_of(config), std::move(made).error().error);
  return {};
}

}  // namespace sallyport::keys
