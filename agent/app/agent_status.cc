#include "agent/app/agent_status.h"

#include "agent/app/engine_on_link.h"

#include "shared/base/utf8.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::app {
namespace {

using std::chrono::seconds;

constexpr std::size_t kLongestText = 1'000;

Value count(std::uint64_t number) { return Value(static_cast<std::int64_t>(number)); }

Value seconds_since(SteadyTime since, SteadyTime now) {
  return count(std::chrono::duration_cast<seconds>(now - since).count());
}

Value link_value(const agent::LinkStatus& link, const agent::WayFacts& way, SteadyTime now) {
  ValueMap map{{Value("state"), Value(agent::to_string(link.state))},
               {Value("for_seconds"), seconds_since(link.since, now)},
               {Value("failures"), count(link.failures)}};
  const auto add = [&map](std::string_view name, const std::string& text) {
    if (!text.empty()) map.emplace(Value(name), Value(text));
  };
  add("relay_software", link.relay_software);
  add("last_problem", link.last_problem);
  add("disowned", link.disowned);
  add("inspector", way.inspector);
  if (way.way) map.emplace(Value("way"), Value(*way.way == agent::Way::direct ? "direct" : "websocket"));
  if (link.clock_ahead) map.emplace(Value("clock_ahead_ms"), Value(link.clock_ahead->count()));
  return Value(std::move(map));
}

Value facts_value(const agent::LinkFacts& facts, SteadyTime now) {
  ValueMap map{{Value("number"), count(facts.number)},
               {Value("relay"), Value(agent::to_string(facts.address))},
               {Value("state"), Value(agent::to_string(facts.state))},
               {Value("jobs"), Value(facts.carries_jobs)}};
  if (facts.ready_since) map.emplace(Value("ready_for_seconds"), seconds_since(*facts.ready_since, now));
  if (facts.round_trip) map.emplace(Value("round_trip_ms"), Value(facts.round_trip->count()));
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

// How many, and none by its name.
Value system_keys_value(const std::vector<agent::SystemKeyFact>& keys) {
  const auto opening = std::ranges::count(keys, true, &agent::SystemKeyFact::opens);
  return Value(
      ValueMap{{Value("held"), count(keys.size())}, {Value("opening"), count(static_cast<std::uint64_t>(opening))}});
}

std::string text_in(const Value& status, std::string_view name) {
  const auto* found = status.find(name);
  return found != nullptr && found->is(Value::Kind::string) ? for_terminal(found->as_string(), kLongestText) : "";
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

std::string certificate_lines(const Value& status) {
  const auto end = text_in(status, "certificate_ends_at");
  if (!is_true(status, "certificate_ended")) return fmt::format("certificate  ends {}\n", end);
  return fmt::format("certificate  ended {}: if the clock is right, {}\n", end, agent::kHowToEnrolAgain);
}

std::string link_lines(const Value& link) {
  auto lines = fmt::format("link         {} for {}", text_in(link, "state"), lasting(number_in(link, "for_seconds")));
  const auto add = [&](std::string_view name, std::string_view format) {
    if (const auto text = text_in(link, name); !text.empty()) lines += fmt::format(fmt::runtime(format), text);
  };
  add("relay_software", ", {}");
  add("way", ", way: {}");
  lines += '\n';
  add("disowned", "             the relay refuses this agent: {}\n");
  add("inspector", "             somebody on the way shows a certificate issued by: {}\n");
  add("last_problem", "             last problem: {}\n");
  return lines;
}

std::string facts_line(const Value& link) {
  auto line = fmt::format("             {} to {}, {}", number_in(link, "number"), text_in(link, "relay"),
                          text_in(link, "state"));
  if (link.find("ready_for_seconds") != nullptr) line += " for " + lasting(number_in(link, "ready_for_seconds"));
  if (link.find("round_trip_ms") != nullptr)
    line += fmt::format(", round trip {} ms", number_in(link, "round_trip_ms"));
  return line + (is_true(link, "jobs") ? ", with the jobs\n" : "\n");
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

std::string system_keys_lines(const Value& keys) {
  const auto held = number_in(keys, "held"), closed = held - number_in(keys, "opening");
  auto lines = fmt::format("system keys  {} sealed to this agent\n", held);
  if (closed > 0)
    lines += fmt::format("             {} of them cannot be opened here: sallyport-agent doctor says which\n", closed);
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
  const auto now = figures.clock.steady();
  for (const auto& facts : figures.links) links.push_back(facts_value(facts, now));
  const auto up = std::chrono::duration_cast<seconds>(figures.clock.wall() - figures.started).count();
  auto connections = connection_summary(figures.connections, figures.uses);
  const auto certificate_end = identity.chain.front().not_after();
  return Value(ValueMap{
      {Value("version"), Value(SALLYPORT_VERSION)},
      {Value("process"), Value(figures.process)},
      {Value("started_at"), Value(rfc3339(figures.started))},
      {Value("up_seconds"), Value(static_cast<std::int64_t>(std::max<std::int64_t>(up, 0)))},
      {Value("agent"), Value(identity.id.agent.value)},
      {Value("organisation"), Value(identity.id.org.value)},
      {Value("group"), Value(identity.group)},
      {Value("certificate_ends_at"), Value(rfc3339(certificate_end))},
      {Value("certificate_ended"), Value(figures.clock.wall() >= certificate_end)},
      {Value("link"), link_value(figures.link, figures.way, now)},
      {Value("links"), Value(std::move(links))},
      {Value("jobs"), jobs_value(figures.engine)},
      {Value("tunnel_connections"), count(figures.tunnel_connections)},
      {Value("system_keys"), system_keys_value(figures.system_keys)},
      {Value("connections"), *connections.find("connections")},
  });
}

std::string status_text(const Value& status) {
  auto text = fmt::format("agent        {} of {}, group {}\n", text_in(status, "agent"),
                          text_in(status, "organisation"), text_in(status, "group"));
  text += fmt::format("process      {}, version {}, up for {}\n", number_in(status, "process"),
                      text_in(status, "version"), lasting(number_in(status, "up_seconds")));
  text += certificate_lines(status);
  if (const auto* link = status.find("link")) text += link_lines(*link);
  for (const auto& facts : list_in(status, "links")) text += facts_line(facts);
  if (const auto* jobs = status.find("jobs")) text += jobs_lines(*jobs);
  text += fmt::format("tunnels      {}\n", plural(number_in(status, "tunnel_connections"), "connection"));
  if (const auto* keys = status.find("system_keys")) text += system_keys_lines(*keys);
  for (const auto& connection : list_in(status, "connections")) text += connection_line(connection);
  return text;
}

bool is_linked(const Value& status) {
  const auto* link = status.find("link");
  return link != nullptr && text_in(*link, "state") == "ready" && text_in(*link, "disowned").empty();
}

}  // namespace sallyport::app
