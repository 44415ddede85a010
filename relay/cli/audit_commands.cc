#include "relay/cli/commands.h"
#include "relay/cli/requests.h"
#include "shared/base/percent.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

// The ledgers: the organisation's own, and the platform's, which has what belongs to no organisation.
namespace sallyport::cli {
namespace {

const std::string kOurs = "/v1/audit-events", kPlatform = "/v1/platform/audit-events";
const std::vector<Column> kAuditColumns{{"SEQ", "seq"},
                                        {"AT", "at"},
                                        {"ACTOR", "event.actor"},
                                        {"ACTION", "event.action"},
                                        {"TARGET", "event.target"},
                                        {"OUTCOME", "event.outcome"},
                                        {"REASON", "reason"}};

// Puts beside it why something was refused, cut or failed: what the event says, or the code of the answer.
Value with_reason(const Value& row) {
  const auto* event = row.find("event");
  const auto* detail = event == nullptr ? nullptr : event->find("detail");
  if (detail == nullptr) return row;
  const auto* reason = detail->find("reason");
  if (reason == nullptr) reason = detail->find("error");
  if (reason == nullptr) return row;
  auto whole = row.as_map();
  whole.emplace(Value("reason"), *reason);
  return Value(std::move(whole));
}

std::string audit_table(const ValueList& events) {
  ValueList rows;
  std::ranges::transform(events, std::back_inserter(rows), with_reason);
  return table_of(rows, kAuditColumns);
}

using Run = std::function<int(Context&, const Arguments&)>;

Run listing_events(std::string events_path) {
  return [events_path](Context& context, const Arguments& arguments) {
    return with_client(context, [&](Client& client) -> Result<void> {
      std::string path = events_path;
      for (const std::string filter : {"action", "since"}) {
        if (!arguments.has(filter)) continue;
        path += fmt::format("{}{}={}", path.contains('?') ? '&' : '?', filter, percent_encode(arguments.get(filter)));
      }
      SP_TRY(const auto events, list_some(client, path, part_of(arguments)));
      context.show(events, audit_table(events.find("items")->as_list()));
      tell_more(context, events);
      return {};
    });
  };
}

Result<void> show_verdict(const Context& context, const Value& verdict) {
  const Value* intact = verdict.find("intact");
  if (intact != nullptr && intact->is(Value::Kind::boolean) && intact->as_bool()) {
    context.show(verdict, fmt::format("intact: {} audit events, from event {} on\n", cell_of(verdict.find("rows")),
                                      cell_of(verdict.find("first_seq"))));
    return {};
  }
  context.show(verdict, "");
  return fail(Errc::conflict, fmt::format("the audit log has been changed: event {}: {}",
                                          cell_of(verdict.find("bad_seq")), cell_of(verdict.find("reason"))));
}

Run verifying_events(std::string events_path) {
  return [events_path](Context& context, const Arguments&) {
    return with_client(context, [&](Client& client) -> Result<void> {
      SP_TRY(const auto verdict, client.get(events_path + "/verify"));
      return show_verdict(context, verdict);
    });
  };
}

Command list_command(std::string_view verb, const std::string& path, std::string_view help) {
  return {"audit",
          verb,
          {},
          {{"action", "ACTION", "only this action, such as recipe.activate"},
           {"since", "TIME", "at or after, such as 2026-01-31T09:30:00Z"},
           {"limit", "N", "at most so many (50)"},
           {"cursor", "CURSOR", "go on after an earlier list: its `next`"}},
          help,
          listing_events(path)};
}

}  // namespace

std::vector<Command> audit_commands() {
  return {list_command("list", kOurs, "audit events, newest first"),
          {"audit", "verify", {}, {}, "check the hash chain of the audit log", verifying_events(kOurs)},
          list_command("platform list", kPlatform, "audit events of the platform, newest first (platform admin)"),
          {"audit",
           "platform verify",
           {},
           {},
           "check the hash chain of the platform's audit log (platform admin)",
           verifying_events(kPlatform)}};
}

}  // namespace sallyport::cli
