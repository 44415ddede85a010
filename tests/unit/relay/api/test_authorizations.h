#pragma once

#include "relay/authorizations/desk.h"
#include "shared/crypto/new_id.h"

#include <map>
#include <string>
#include <string_view>

namespace sallyport::test {

inline constexpr std::string_view kStateOfTest = "the-state-of-a-test-which-is-good-again";

// Every agent begins at once, every browser comes back with kStateOfTest, and is authorized unless `refused`.
class TestAuthorizations final : public authorizations::Desk {
 public:
  boost::asio::awaitable<Result<authorizations::Facts>> begin(authorizations::Order order) override {
    if (fault) co_return std::unexpected(*fault);
    last = {crypto::new_id<authorizations::AuthorizationId>(SystemClock()), std::move(order)};
    known.insert_or_assign(last.id, last);
    auto told = last;
    told.url = "https://login.example.com/authorize?state=" + std::string(kStateOfTest);
    co_return told;
  }
  Result<authorizations::Facts> find(const OrgId& org, const authorizations::AuthorizationId& id) override {
    const auto found = known.find(id);
    if (found == known.end() || found->second.order.org != org) return fail(Errc::not_found, "");
    return found->second;
  }
  boost::asio::awaitable<Result<authorizations::Facts>> take(authorizations::Answer answer) override {
    taken = std::move(answer);
    if (taken.state != kStateOfTest) co_return fail(Errc::not_found, "");
    last.state = refused.empty() ? authorizations::State::authorized : authorizations::State::failed;
    last.message = refused;
    co_return last;
  }

  std::optional<Error> fault;
  std::string refused;
  authorizations::Facts last;
  authorizations::Answer taken;
  std::map<authorizations::AuthorizationId, authorizations::Facts> known;
};

}  // namespace sallyport::test
