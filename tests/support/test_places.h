#pragma once

#include "relay/keys/file_provider.h"
#include "relay/keys/own_keys.h"
#include "tests/support/pki.h"

#include <map>
#include <string>
#include <vector>

namespace sallyport::test {

// Organisations' own keys by name, each of which can be broken.
class TestPlaces final : public keys::OwnKeyPlaces {
 public:
  struct Kept {
    std::optional<Errc> broken;
    bool forgetful = false;  // gives back something else
    std::string ended;       // credentials that are good no more; none: all are
    int calls = 0;
  };
  Result<std::unique_ptr<keys::Provider>> provider(const OrgId&, const keys::OwnKeyOrder& order) override {
    words.emplace_back(order.credentials.reveal());
    const auto name = order.place.find(Value("name"));
    if (name == order.place.end() || !kept.contains(name->second.as_string()))
      return fail(Errc::forbidden, "no key of this name");
    return std::make_unique<Place>(kept.at(name->second.as_string()), name->second.as_string(), words.back());
  }
  std::map<std::string, Kept> kept{{"one", {}}, {"two", {}}};
  std::vector<std::string> words;  // the credentials that came

 private:
  class Place final : public keys::Provider {
   public:
    Place(Kept& kept, const std::string& name, std::string words)
        : kept_(kept),
          words_(std::move(words)),
          real_(must(keys::FileProvider::make(name, Secret::take(std::string(32, name.front()))))) {}
    boost::asio::awaitable<Result<Bytes>> wrap(std::string purpose, Secret key) override {
      if (const auto broken = trouble()) co_return fail(*broken, "planted");
      if (kept_.forgetful) key = Secret::take(std::string(32, 'f'));
      co_return co_await real_.wrap(std::move(purpose), std::move(key));
    }
    boost::asio::awaitable<Result<Secret>> unwrap(std::string purpose, Bytes wrapped) override {
      ++kept_.calls;
      if (const auto broken = trouble()) co_return fail(*broken, "planted");
      co_return co_await real_.unwrap(std::move(purpose), std::move(wrapped));
    }
    std::string describe() const override { return "planted"; }

   private:
    std::optional<Errc> trouble() const {
      return !kept_.ended.empty() && kept_.ended == words_ ? Errc::forbidden : kept_.broken;
    }
    Kept& kept_;
    std::string words_;
    keys::FileProvider real_;
  };
};

}  // namespace sallyport::test
