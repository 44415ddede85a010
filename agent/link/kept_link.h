#pragma once

#include "agent/link/supervisor.h"
#include "shared/async/event.h"

#include <optional>

namespace sallyport::agent {

class KeptLink;

// What one link needs of the others; called on their executor.
class LinkGroup {
 public:
  virtual ~LinkGroup() = default;
  virtual void welcomed(KeptLink& link) = 0;  // what the relay said of itself is there
  virtual void changed(KeptLink& link) = 0;   // it is ready, or begins to drain
  virtual bool takes_links() const = 0;       // not when the agent stops, or is not wanted any more
  virtual bool may_take_jobs(const KeptLink& link) const = 0;
  virtual void take_jobs(KeptLink& link) = 0;
  virtual void give_jobs_back(KeptLink& link) = 0;
};

// How a link, or the attempt at one, ended. Neither: it was given up.
struct LinkOutcome {
  std::optional<Error> attempt;        // no stream
  std::optional<link::EndReason> end;  // of the session
  std::optional<std::chrono::milliseconds> ready_for;
  bool handed_over = false;  // it drained, and the relay takes another one meanwhile
};

// One numbered place for a link: a link at a time, from the dial to its end.
class KeptLink final : public link::SessionOwner {
 public:
  enum class Stage { idle, dialling, greeted, ready, draining };

  KeptLink(std::uint32_t number, const boost::asio::any_io_executor& executor, Supervisor::Parts parts,
           LinkGroup& group);

  // Dials and serves until the link ends. `options.self.link` is filled in. One at a time.
  boost::asio::awaitable<LinkOutcome> run(Endpoint to, link::SessionOptions options, SteadyTime connected_by);
  void mark_dialling() { stage_ = Stage::dialling; }  // before run() is spawned

  std::uint32_t number() const { return number_; }
  Stage stage() const { return stage_; }
  link::Session* session() const { return session_; }  // while one lives
  const Endpoint& address() const { return address_; }
  bool carries_jobs() const { return carries_jobs_; }
  LinkFacts facts() const;
  std::optional<std::chrono::milliseconds> ready_for() const;  // nothing: never was
  bool hands_over() const;                                     // it drains, and relay and agent know several links
  void reconsider_jobs() { jobs_turn_.set(); }
  void drain(std::string reason, std::chrono::milliseconds limit);

  // link::SessionOwner
  boost::asio::awaitable<void> serve(link::Session& session) override;
  void on_ping(link::Session& session, std::uint64_t nonce) override;
  void on_control(link::Session& session, const v1::Control& message) override;
  void on_go_away(link::Session& session, const std::string& reason, std::chrono::milliseconds drain) override;

 private:
  boost::asio::awaitable<void> carry_jobs(link::Session& session);
  boost::asio::awaitable<void> work_on_jobs(link::Session& session);
  boost::asio::awaitable<void> report_ready(link::Session& session);
  void tell_time(link::Session& session);

  std::uint32_t number_;
  boost::asio::any_io_executor executor_;
  Supervisor::Parts parts_;
  LinkGroup& group_;
  Stage stage_ = Stage::idle;
  Endpoint address_;
  link::Session* session_ = nullptr;
  bool carries_jobs_ = false;
  Event jobs_turn_;
  std::optional<SteadyTime> ready_since_;
  std::optional<SteadyTime> told_time_;
};

}  // namespace sallyport::agent
