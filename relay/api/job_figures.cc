#include "relay/api/job_figures.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::api {

namespace asio = boost::asio;

namespace {

using domain::JobState;

constexpr std::array kUnfinished{JobState::queued, JobState::dispatched, JobState::running};

Gauge& jobs_in(Metrics& metrics, JobState state) {
  return metrics.gauge("sallyport_jobs", "Jobs that have not ended, by state.",
                       {{"state", std::string(domain::to_string(state))}});
}

Gauge& oldest_wait(Metrics& metrics) {
  return metrics.gauge("sallyport_jobs_oldest_queued_seconds", "How long the oldest queued job has waited.");
}

std::int64_t waited(const store::Queue& queue, WallTime now) {
  return std::max<std::int64_t>(0, std::chrono::duration_cast<std::chrono::seconds>(now - queue.oldest).count());
}

std::string by_group(const std::vector<store::Queue>& queues, WallTime now) {
  std::string lengths =
      "# HELP sallyport_queue_jobs Queued jobs of an agent group.\n# TYPE sallyport_queue_jobs gauge\n";
  std::string ages =
      "# HELP sallyport_queue_oldest_seconds How long the oldest of them has waited.\n"
      "# TYPE sallyport_queue_oldest_seconds gauge\n";
  for (const auto& queue : queues) {
    const auto labels = fmt::format("{{org=\"{}\",group=\"{}\"}}", queue.org.value, queue.group.value);
    lengths += fmt::format("sallyport_queue_jobs{} {}\n", labels, queue.queued);
    ages += fmt::format("sallyport_queue_oldest_seconds{} {}\n", labels, waited(queue, now));
  }
  return lengths + ages;
}

}  // namespace

void make_job_gauges(Metrics& metrics) {
  for (const auto state : kUnfinished) jobs_in(metrics, state);
  oldest_wait(metrics);
}

asio::awaitable<std::string> count_jobs(Services& services) {
  const auto counts = co_await services.stores.jobs.unfinished_counts();
  const auto queues = co_await services.stores.jobs.queues();
  if (!counts || !queues) {
    services.log.error("metrics.incomplete", {{"reason", (counts ? queues.error() : counts.error()).message}});
    co_return std::string();
  }
  for (const auto state : kUnfinished) {
    const auto found = std::ranges::find(*counts, state, &store::StateCount::state);
    jobs_in(services.metrics, state).set(found == counts->end() ? 0 : static_cast<std::int64_t>(found->count));
  }
  const auto now = services.clock.wall();
  oldest_wait(services.metrics).set(queues->empty() ? 0 : waited(queues->front(), now));
  co_return by_group(*queues, now);
}

}  // namespace sallyport::api
