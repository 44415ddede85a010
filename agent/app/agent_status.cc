#include "agent/app/agent_status.h"

#include "agent/app/engine_on_link.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::app {
namespace {

using std::chrono::seconds;

Value count(std::uint64_t number) { return Value(static_cast<std::int64_t>(number)); }

Value link_value(const agent::LinkStatus& link, const agent::Endpoint& relay, SteadyTime now) {
  ValueMap map{{Value("state"), Value(agent::to_string(link.state))},
               {Value("for_seconds"), count(std::chrono::duration_cast<seconds>(now - link.since).count())},
               {Value("failures"), count(link.failures)},
               {Value("relay"), Value(agent::to_string(relay))}};
  if (!link.relay_software.empty()) map.emplace(Value("relay_software"), Value(link.relay_software));
  if (!link.last_problem.empty()) map.emplace(Value("last_problem"), Value(link.last_problem));
  if (!link.disowned.empty()) map.emplace(Value("disowned"), Value(link.disowned));
  return Value(std::move(map));
}

Value jobs_value(const runner::Engine::Status& engine) {
  return Value(ValueMap{{Value("relay"), count(engine.relay_jobs)},
                        {Value("local"), count(engine.local_jobs)},
                        {Value("running_steps"), count(engine.running_steps)},
                        {Value("watched_recipes"), count(engine.watched_recipes)},
                        {Value("suspended"), Value(engine.suspended)},
                        {Value("unreported"), count(engine.outbox.rows)},
                        {Value("unreported_bytes"), count(engine.outbox.bytes)}});
}

std::string text_in(const Value& status, std::string_view name) {
  const auto* found = status.find(name);
  return found != nullptr && found->is(Value::Kind::string) ? found->as_string() : "";
}

std::int64_t number_in(const Value& status, std::string_view name) {
  const auto* found = status.find(name);
  return found != nullptr && found->is(Value::Kind::int64) ? found->as_int() : 0;
}

bool is_true(const Value& status, std::string_view name) {
  const auto* found = status.find(name);
  return found != nullptr && found->is(Value::Kind::boolean) && found->as_bool();
}

ValueList list_in(const Value& status, std::string_view name) {
  const auto* found = status.find(name);
  return found != nullptr && found->is(Value::Kind::list) ? found->as_list() : ValueList{};
}

// "3 d 4 h", "2 min 5 s": the two largest units.
std::string lasting(std::int64_t total) {
  if (total >= 86'400) return fmt::format("{} d {} h", total / 86'400, total % 86'400 / 3'600);
  if (total >= 3'600) return fmt::format("{} h {} min", total / 3'600, total % 3'600 / 60);
  if (total >= 60) return fmt::format("{} min {} s", total / 60, total % 60);
  return fmt::format("{} s", total);
}

std::string plural(std::int64_t number, std::string_view what) {
  return fmt::format("{} {}{}", number, what, number == 1 ? "" : "s");
}

std::string link_line(const Value& link) {
  auto line = fmt::format("link         {} for {}, {}", text_in(link, "state"), lasting(number_in(link, "for_seconds")),
                          text_in(link, "relay"));
  if (const auto software = text_in(link, "relay_software"); !software.empty()) line += fmt::format(" ({})", software);
  line += '\n';
  if (const auto disowned = text_in(link, "disowned"); !disowned.empty())
    line += fmt::format("             the relay refuses this agent: {}\n", disowned);
  if (const auto problem = text_in(link, "last_problem"); !problem.empty())
    line += fmt::format("             last problem: {}\n", problem);
  return line;
}

std::string jobs_lines(const Value& jobs) {
  auto lines =
      fmt::format("jobs         {} of the relay, {} of its own triggers, {} running\n", number_in(jobs, "relay"),
                  number_in(jobs, "local"), plural(number_in(jobs, "running_steps"), "step"));
  lines += fmt::format("triggers     {} watched\n", plural(number_in(jobs, "watched_recipes"), "recipe"));
  lines += fmt::format("reports      {} not yet confirmed by the relay ({} bytes)\n", number_in(jobs, "unreported"),
                       number_in(jobs, "unreported_bytes"));
  if (is_true(jobs, "suspended")) lines += "             it stands still: no step starts, no trigger is watched\n";
  return lines;
}

std::string connection_line(const Value& connection) {
  const auto health = text_in(connection, "health");
  const auto detail = text_in(connection, "detail");
  return fmt::format("connection   {} ({}): {}{}\n", text_in(connection, "name"), text_in(connection, "kind"),
                     health.empty() ? "not used yet" : health, detail.empty() ? "" : ", " + detail);
}

}  // namespace

Value status_of(const AgentFigures& figures) {
  const auto& identity = figures.identity;
  ValueList links;
  for (const auto& link : figures.links) links.push_back(link_value(link, identity.relay, figures.clock.steady()));
  const auto up = std::chrono::duration_cast<seconds>(figures.clock.wall() - figures.started).count();
  auto connections = connection_summary(figures.connections, figures.uses);
  return Value(ValueMap{
      {Value("version"), Value(SALLYPORT_VERSION)},
      {Value("process"), Value(figures.process)},
      {Value("started_at"), Value(rfc3339(figures.started))},
      {Value("up_seconds"), Value(static_cast<std::int64_t>(std::max<std::int64_t>(up, 0)))},
      {Value("agent"), Value(identity.id.agent.value)},
      {Value("organisation"), Value(identity.id.org.value)},
      {Value("group"), Value(identity.group)},
      {Value("certificate_ends_at"), Value(rfc3339(identity.chain.front().not_after()))},
      {Value("links"), Value(std::move(links))},
      {Value("jobs"), jobs_value(figures.engine)},
      {Value("tunnel_connections"), count(figures.tunnel_connections)},
      {Value("connections"), *connections.find("connections")},
  });
}

std::string status_text(const Value& status) {
  auto text = fmt::format("agent        {} of {}, group {}\n", text_in(status, "agent"),
                          text_in(status, "organisation"), text_in(status, "group"));
  text += fmt::format("process      {}, version {}, up for {}\n", number_in(status, "process"),
                      text_in(status, "version"), lasting(number_in(status, "up_seconds")));
  text += fmt::format("certificate  ends {}\n", text_in(status, "certificate_ends_at"));
  for (const auto& link : list_in(status, "links")) text += link_line(link);
  if (const auto* jobs = status.find("jobs")) text += jobs_lines(*jobs);
  text += fmt::format("tunnels      {}\n", plural(number_in(status, "tunnel_connections"), "connection"));
  for (const auto& connection : list_in(status, "connections")) text += connection_line(connection);
  return text;
}

bool is_linked(const Value& status) {
  const auto links = list_in(status, "links");
  return std::ranges::any_of(links, [](const Value& link) { return text_in(link, "state") == "ready"; }) &&
         std::ranges::all_of(links, [](const Value& link) { return text_in(link, "disowned").empty(); });
}

}  // namespace sallyport::app
