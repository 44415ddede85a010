#include "relay/authorizations/authorizations.h"

#include "proto/sallyport/v1/authorizations.pb.h"
#include "shared/async/timeout.h"
#include "shared/base/text.h"
#include "shared/link/message_bytes.h"

#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <optional>

namespace sallyport::authorizations {
namespace asio = boost::asio;
namespace {

constexpr std::size_t kMostUrl = 8u << 10;
constexpr std::size_t kMostMessage = 500;

// What an agent says goes to terminals and browsers.
std::string shown(std::string text) {
  text.resize(std::min(text.size(), kMostMessage));
  while (!is_valid_utf8(text)) text.pop_back();
  std::ranges::replace_if(text, [](unsigned char c) { return c < ' ' || c == 0x7f; }, ' ');
  return text.empty() ? "the agent does not say why" : text;
}

bool is_url(std::string_view text) {
  return (text.starts_with("https://") || text.starts_with("http://")) && text.size() <= kMostUrl &&
         std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~'; });
}

bool is_state(std::string_view text) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  };
  return text.size() >= 32 && text.size() <= 128 && std::ranges::all_of(text, fits);
}

template <class Message>
asio::awaitable<Result<Message>> ask(const link::Channel& channel, std::string question) {
  SP_CO_CHECK(co_await channel.send_message(std::move(question)));
  SP_CO_TRY(const auto bytes, co_await channel.receive_message());
  Message message;
  if (!bytes || !link::parse(message, *bytes)) co_return fail(Errc::unavailable, "the agent gave the authorization up");
  co_return message;
}

}  // namespace

std::string_view to_string(State state) {
  switch (state) {
    case State::waiting: return "waiting";
    case State::exchanging: return "exchanging";
    case State::authorized: return "authorized";
    case State::failed: return "failed";
  }
  return "failed";
}

struct Authorizations::Entry {
  Facts facts;
  SteadyTime until{};
  std::string state;  // "": it was taken
  std::optional<link::Channel> channel;
};

void Authorizations::forget_expired() {
  const auto now = clock_.steady();
  std::erase_if(entries_, [&](const auto& one) {
    if (one.second->until > now) return false;
    by_state_.erase(one.second->state);
    return true;
  });
}

Result<void> Authorizations::check_room(const OrgId& org) const {
  const auto own = std::ranges::count_if(entries_, [&](const auto& one) { return one.second->facts.order.org == org; });
  if (static_cast<std::size_t>(own) < limits_.of_organisation && entries_.size() < limits_.all) return {};
  return fail(Errc::exhausted, "as many authorizations as may be were begun in the last ten minutes: wait for them");
}

asio::awaitable<Result<Facts>> Authorizations::begin(Order order) {
  forget_expired();
  SP_CO_CHECK(check_room(order.org));
  const auto id = crypto::new_id<AuthorizationId>(clock_);
  const auto entry = std::make_shared<Entry>();
  entry->facts = {id, std::move(order), State::waiting, "", clock_.wall() + limits_.person, ""};
  entry->until = clock_.steady() + limits_.person;
  entries_.emplace(id, entry);
  const auto begun = co_await with_timeout(limits_.begin, ask_agent(*entry));
  const bool is_other = begun && !by_state_.emplace(entry->state, id).second;
  if (!begun || is_other) {
    entries_.erase(id);
    if (is_other) co_return fail(Errc::conflict, "the agent gave a state that another authorization has");
    co_return std::unexpected(begun.error());
  }
  auto facts = entry->facts;
  entry->facts.url.clear();
  co_return facts;
}

asio::awaitable<Result<void>> Authorizations::ask_agent(Entry& entry) {
  SP_CO_TRY(auto channel, lines_.open_for_authorization(entry.facts.order.org, entry.facts.order.agent));
  v1::AuthorizationOrder order;
  order.set_connection(entry.facts.order.connection);
  SP_CO_TRY(const auto begun, co_await ask<v1::AuthorizationBegun>(channel, order.SerializeAsString()));
  if (!begun.error().empty()) co_return fail(Errc::conflict, shown(begun.error()));
  if (!is_url(begun.url()) || !is_state(begun.state()))
    co_return fail(Errc::conflict, "the agent gave an address or a state that is none");
  entry.facts.url = begun.url();
  entry.state = begun.state();
  entry.channel = std::move(channel);
  co_return Result<void>();
}

Result<Facts> Authorizations::find(const OrgId& org, const AuthorizationId& id) {
  forget_expired();
  const auto found = entries_.find(id);
  if (found == entries_.end() || found->second->facts.order.org != org) return fail(Errc::not_found, "");
  auto& entry = *found->second;
  if (entry.facts.state == State::waiting && entry.channel && entry.channel->broken()) {
    by_state_.erase(std::exchange(entry.state, ""));
    entry.facts.state = State::failed;
    entry.facts.message = "the link to the agent was lost meanwhile: begin again";
  }
  return entry.facts;
}

// Once it is taken it goes to its end, also when the browser does not wait for that.
asio::awaitable<Result<Facts>> Authorizations::take(Answer answer) {
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  forget_expired();
  const auto known = by_state_.find(answer.state);
  if (answer.state.empty() || known == by_state_.end()) co_return fail(Errc::not_found, "");
  const auto entry = entries_.at(known->second);
  by_state_.erase(known);
  entry->state.clear();
  entry->facts.state = State::exchanging;
  const auto refusal = co_await with_timeout(limits_.exchange, exchange(*entry, std::move(answer)));
  entry->channel.reset();
  const bool good = refusal && refusal->empty();
  entry->facts.state = good ? State::authorized : State::failed;
  if (!good) entry->facts.message = shown(refusal ? *refusal : refusal.error().message);
  co_return entry->facts;
}

asio::awaitable<Result<std::string>> Authorizations::exchange(const Entry& entry, Answer answer) const {
  if (!entry.channel) co_return fail(Errc::unavailable, "the link to the agent was lost");
  v1::AuthorizationAnswer message;
  message.set_state(std::move(answer.state));
  message.set_code(std::move(answer.code));
  message.set_issuer(std::move(answer.issuer));
  message.set_error(std::move(answer.error));
  SP_CO_TRY(const auto done, co_await ask<v1::AuthorizationDone>(*entry.channel, message.SerializeAsString()));
  co_return done.error();
}

}  // namespace sallyport::authorizations
