#pragma once

#include "agent/link/kept_link.h"
#include "shared/async/task_group.h"

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sallyport::agent {

// What is common to the links: which of them to dial and when, which one has the jobs, and how it all looks from
// outside.
struct Supervisor::Impl final : LinkGroup {
  Impl(const boost::asio::any_io_executor& on, SupervisorOptions settings, Parts parts, Random random);

  boost::asio::awaitable<void> run();
  boost::asio::awaitable<void> keep_linked();
  boost::asio::awaitable<void> tend(KeptLink& link, Endpoint to);
  void stop(const std::string& message);
  void drain(const std::string& reason, std::chrono::milliseconds limit);
  bool has_left() const;

  // --- when to dial
  void dial_what_is_due();
  bool may_dial() const;         // what else is under way lets it
  SteadyTime next_dial() const;  // max(): something must end first
  void dial(Endpoint to);
  bool wants_first() const;
  bool wants_further() const;
  std::uint32_t wanted() const;
  std::size_t count(KeptLink::Stage stage) const;
  KeptLink* free_place() const;
  bool waits_for_drain() const;  // of a relay that takes one link at a time

  // --- where to
  bool drains_at(const Endpoint& address) const;
  Endpoint first_address() const;
  Endpoint further_address() const;

  // --- how it went
  void settle(const LinkOutcome& outcome);
  void account(const LinkOutcome& outcome);
  void come_back_after(const LinkOutcome& outcome);
  std::chrono::milliseconds pause_after(const LinkOutcome& outcome);
  void replace(const KeptLink& drained);
  void park();  // nothing but a restart helps
  void tell();
  LinkState state() const;
  std::string with_advice(std::string text) const;
  void problem(std::string_view event, std::string text);
  void attempt_failed(std::string text);
  void fault();

  // --- LinkGroup
  void welcomed(KeptLink& link) override;
  void changed(KeptLink& link) override;
  bool takes_links() const override { return !stopping && first_due != SteadyTime::max(); }
  bool may_take_jobs(const KeptLink& link) const override;
  void take_jobs(KeptLink& link) override { jobs_on = &link; }
  void give_jobs_back(KeptLink& link) override;

  boost::asio::any_io_executor executor;
  SupervisorOptions options;
  Parts parts;
  Random random;
  Backoff backoff;  // while no link is ready
  Backoff further;  // for another one beside it
  TaskGroup loop;
  Event over;
  Event woken;
  std::array<std::unique_ptr<KeptLink>, link::kLinkPlaces> places;
  KeptLink* jobs_on = nullptr;
  std::vector<Endpoint> addresses;  // of the relay's choice
  std::uint32_t relay_wants = 1;
  Endpoint good;       // where a link was ready last
  unsigned tries = 0;  // since then
  unsigned further_tries = 0;
  SteadyTime first_due{};
  SteadyTime further_due{};
  LinkStatus status;
  bool unwanted = false;  // the relay wants no link: for now, or for good
  struct Leave {
    std::string reason;
    SteadyTime by;
  };
  std::optional<Leave> leave;  // it drains
  bool stopping = false;
  SteadyTime quiet_until{};
};

}  // namespace sallyport::agent
