#pragma once

#include "relay/gateway/health_notes.h"
#include "relay/gateway/outgoing.h"
#include "relay/gateway/report_queue.h"
#include "relay/jobs/assigner.h"
#include "relay/jobs/dispatcher.h"
#include "relay/jobs/journals.h"
#include "relay/jobs/recorder.h"
#include "shared/async/event.h"
#include "shared/async/task_group.h"
#include "shared/link/session.h"

namespace sallyport::gateway {

// What works on jobs; all of it outlives the channels.
struct JobServices {
  jobs::Dispatcher& dispatcher;
  jobs::Journals& journals;
  jobs::Recorder& recorder;
  jobs::Assigner& assigner;
  store::Connections& connections;
  keys::Envelope& envelope;
  const Clock& clock;
  const Log& log;
};

// One jobs channel of an agent from its opening to its end (docs/protocol.md P13): what the agent says goes to the
// parts that own jobs, what they say goes to the agent. Queues are bounded: what the agent does not take in time ends
// the link, what the store does not take in time stops the reading. Lives on the relay's loop.
class AgentJobs final : public jobs::AgentLink {
 public:
  AgentJobs(const boost::asio::any_io_executor& executor, link::Session& session, JobServices services,
            jobs::LinkedAgent who);

  // Until the channel has ended, leave() or cancellation; with all of it over. What breaks the protocol, and a fault of
  // ours, ends the link as well. An agent that finishes its direction has everything stored and confirmed first.
  boost::asio::awaitable<void> run(link::Channel channel);
  void leave() { over_.set(); }  // at once: another channel of the agent takes the place of this one

  // jobs::AgentLink
  const jobs::LinkedAgent& who() const override { return who_; }
  Result<void> post(jobs::ToAgent message) override;
  std::size_t room_for_jobs() const override { return session_.draining() ? 0 : outgoing_.room_for_jobs(); }

 private:
  boost::asio::awaitable<void> receive_loop(link::Channel& channel);
  // While there is something to send, to store, to note; an idle channel has no task for it.
  boost::asio::awaitable<void> send_waiting();
  boost::asio::awaitable<void> record_waiting();
  boost::asio::awaitable<void> note_health();
  void begin_sending();
  void begin_recording();
  void begin_noting();
  boost::asio::awaitable<Result<void>> receive(jobs::FromAgent message, std::size_t bytes);
  boost::asio::awaitable<Result<void>> take_holding(jobs::Holding holding);
  boost::asio::awaitable<void> see_off(link::Channel& channel);
  void fault(const std::string& task, const std::string& why);

  boost::asio::any_io_executor executor_;
  link::Session& session_;
  JobServices services_;
  jobs::LinkedAgent who_;
  bool journal_met_ = false;
  link::Channel* channel_ = nullptr;  // while it runs, as the tasks
  TaskGroup* tasks_ = nullptr;
  bool sending_ = false;
  bool recording_ = false;
  bool noting_ = false;
  Event over_;
  Event quieter_;  // something was stored, or sent
  Outgoing outgoing_;
  ReportQueue reports_;
  HealthNotes health_;
};

}  // namespace sallyport::gateway
