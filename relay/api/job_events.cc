#include "relay/api/job_events.h"

#include "relay/api/authenticator.h"
#include "relay/api/replies.h"
#include "relay/api/shapes.h"
#include "relay/jobs/sealing.h"
#include "shared/base/json.h"

#include <fmt/format.h>

#include <deque>

namespace sallyport::api {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kBatch = 100;
constexpr std::chrono::seconds kTokenCheck{5};

class JobEvents final : public http::EventSource {
 public:
  JobEvents(Services& services, JobWatch watch, std::unique_ptr<jobs::JobSubscription> subscription)
      : services_(services),
        watch_(std::move(watch)),
        subscription_(std::move(subscription)),
        checked_(services.clock.steady()) {}

  asio::awaitable<std::optional<http::ServerEvent>> next(SteadyTime deadline) override {
    for (;;) {
      if (!ready_.empty()) co_return take();
      if (over_) co_return std::nullopt;
      if (!co_await may_go_on()) continue;
      if (stale_) {
        if (auto loaded = co_await load(); !loaded) end("closed", "the history cannot be read now");
        continue;
      }
      const auto news = co_await subscription_->next(deadline);
      if (std::holds_alternative<jobs::JobChange>(news)) {
        stale_ = true;
      } else if (auto beat = co_await on_silence(std::get<jobs::FeedSilence>(news))) {
        co_return beat;
      }
    }
  }

 private:
  http::ServerEvent take() {
    auto event = std::move(ready_.front());
    ready_.pop_front();
    return event;
  }

  void end(std::string name, std::string_view why) {
    ready_.push_back({"", std::move(name), to_json(Object().put("reason", why).done())});
    over_ = true;
  }

  // A stream outlasts its authentication: however busy it is, its token is looked at again every kTokenCheck.
  asio::awaitable<bool> may_go_on() {
    if (services_.clock.steady() - checked_ < kTokenCheck) co_return true;
    co_return co_await check_token();
  }

  asio::awaitable<bool> check_token() {
    checked_ = services_.clock.steady();
    const bool good = co_await is_still_good(services_.stores.api_tokens, watch_.caller.token, services_.clock);
    if (!good) end("closed", "the API token is no longer valid");
    co_return good;
  }

  // Nothing: there is something to tell.
  asio::awaitable<std::optional<http::ServerEvent>> on_silence(jobs::FeedSilence silence) {
    if (silence == jobs::FeedSilence::dropped) {
      end("dropped", "too slow; resume with Last-Event-ID");
    } else if (silence == jobs::FeedSilence::closed) {
      end("closed", "the relay stops");
    } else if (co_await check_token()) {
      co_return http::ServerEvent{};
    }
    co_return std::nullopt;
  }

  // The job is read before its history: an end that is seen has its whole history behind it.
  asio::awaitable<Result<void>> load() {
    const auto& org = watch_.caller.org;
    SP_CO_TRY(const auto job, co_await services_.stores.jobs.find(org, watch_.job));
    PayloadReader reader(services_, payload_access(watch_.caller));
    if (auto text = to_json(co_await job_shape(services_, reader, job)); text != last_job_) {
      last_job_ = text;
      ready_.push_back({"", "job", std::move(text)});
    }
    store::EventQuery query{.after_seq = watch_.after, .limit = kBatch, .texts = texts_for(watch_.caller)};
    SP_CO_TRY(auto events, co_await services_.stores.history.events(org, watch_.job, query));
    for (auto& event : events.items) {
      watch_.after = event.seq;
      const auto kind = event.kind;
      const auto value = co_await event_shape(reader, org, watch_.job, std::move(event));
      ready_.push_back({std::to_string(watch_.after), kind, to_json(value)});
    }
    stale_ = events.more;
    if (!stale_ && domain::is_final(job.state)) end("end", to_string(job.state));
    co_return Result<void>();
  }

  Services& services_;
  JobWatch watch_;
  std::unique_ptr<jobs::JobSubscription> subscription_;
  std::deque<http::ServerEvent> ready_;
  std::string last_job_;
  SteadyTime checked_;  // when the token was looked at
  bool stale_ = true;   // the store may hold something that was not told yet
  bool over_ = false;
};

}  // namespace

store::Texts texts_for(const Caller& caller) {
  return payload_access(caller) == PayloadReader::Access::granted ? store::Texts::with : store::Texts::without;
}

namespace {

std::string words_of(const store::TakenBack& taken) {
  return fmt::format("taken back from {}: {}; it waits for the next agent", taken.agent.value,
                     domain::words_for(taken.reason));
}

}  // namespace

asio::awaitable<Value> event_shape(PayloadReader& reader, OrgId org, JobId job, store::HistoryEvent event) {
  auto identity = jobs::log_identity(org, job, event.epoch, event.job_seq);
  auto text = co_await reader.read_text(std::move(identity), std::move(event.sealed_text));
  auto of_step = jobs::step_identity(org, "message", job, event.path, event.attempt);
  auto message = co_await reader.read_message(std::move(of_step), std::move(event.sealed_message));
  std::optional<AgentId> agent;
  if (event.taken_back) {
    agent = event.taken_back->agent;
    event.error_class = domain::to_string(event.taken_back->reason);
    message = Value(words_of(*event.taken_back));
  }
  co_return Object()
      .put("seq", event.seq)
      .put("at", event.at)
      .put("kind", event.kind)
      .put("path", event.path)
      .put("attempt", event.attempt)
      .put("status", event.status)
      .put("text", std::move(text))
      .put("error_class", event.error_class)
      .put("message", std::move(message))
      .put("agent", agent)
      .done();
}

std::unique_ptr<http::EventSource> watch_events(Services& services, JobWatch watch,
                                                std::unique_ptr<jobs::JobSubscription> subscription) {
  return std::make_unique<JobEvents>(services, std::move(watch), std::move(subscription));
}

}  // namespace sallyport::api
