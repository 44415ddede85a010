#include "tests/unit/relay/cli/scripted_relay.h"

#include <fmt/format.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <deque>

namespace sallyport::test {
namespace asio = boost::asio;
namespace {

enum class Then { end, silence };

class Beats final : public http::EventSource {
 public:
  Beats(std::vector<Beat> beats, Then then) : left_(beats.begin(), beats.end()), then_(then) {}

  asio::awaitable<std::optional<http::ServerEvent>> next(SteadyTime) override {
    if (left_.empty() && then_ == Then::end) co_return std::nullopt;
    auto beat = left_.empty() ? Beat{.after = std::chrono::hours(1), .event = {}} : std::move(left_.front());
    if (!left_.empty()) left_.pop_front();
    asio::steady_timer timer(co_await asio::this_coro::executor, beat.after);
    co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    co_return std::move(beat.event);
  }

 private:
  std::deque<Beat> left_;
  Then then_;
};

class Prepared final : public http::Exchange {
 public:
  explicit Prepared(http::Reply reply) : reply_(std::move(reply)) {}
  std::size_t body_limit() const override { return 1u << 20; }
  asio::awaitable<http::Reply> answer(http::Request) override { co_return std::move(reply_); }

 private:
  http::Reply reply_;
};

}  // namespace

http::Reply events_reply(std::vector<Beat> beats) {
  return http::StreamResponse{{}, std::make_unique<Beats>(std::move(beats), Then::end), {}};
}

http::Reply silent_reply(std::vector<Beat> beats) {
  return http::StreamResponse{{}, std::make_unique<Beats>(std::move(beats), Then::silence), {}};
}

http::Reply text_reply(int status, std::string body) {
  http::Response response{.status = status, .headers = {}, .body = std::move(body), .actor = {}};
  response.headers.set("Content-Type", status < 400 ? "application/json" : "application/problem+json");
  return response;
}

asio::awaitable<http::Admission> ScriptedRelay::admit(const http::RequestHead& head) {
  const auto header = [&](std::string_view name) {
    const auto* value = head.headers.find(name);
    return value == nullptr ? std::string() : *value;
  };
  const Asked asked{head.path, header("Last-Event-ID"), header("Idempotency-Key"), header("Authorization")};
  const auto turn = this->asked(asked.path).size();
  {
    const std::lock_guard lock(mutex_);
    asked_.push_back(asked);
  }
  co_return std::make_unique<Prepared>(answer_(asked, turn));
}

std::vector<ScriptedRelay::Asked> ScriptedRelay::asked(const std::string& path) const {
  const std::lock_guard lock(mutex_);
  std::vector<Asked> of_path;
  std::ranges::copy_if(asked_, std::back_inserter(of_path), [&](const Asked& one) { return one.path == path; });
  return of_path;
}

void ScriptedRelay::forget() {
  const std::lock_guard lock(mutex_);
  asked_.clear();
}

Surroundings ScriptedRelay::surroundings() const {
  return {.in = "",
          .environment = {{"HOME", "/nonexistent"},
                          {"SALLYPORT_RELAY", fmt::format("https://127.0.0.1:{}", port())},
                          {"SALLYPORT_TOKEN", "spt_scripted"},
                          {"SALLYPORT_ROOT", root()}},
          .tune = {}};
}

}  // namespace sallyport::test
