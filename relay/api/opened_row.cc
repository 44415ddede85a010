#include "relay/api/opened_row.h"

#include "relay/api/trigger_mask.h"
#include "relay/domain/fields.h"
#include "relay/jobs/sealing.h"

#include <algorithm>
#include <array>

namespace sallyport::api {

namespace asio = boost::asio;

namespace {

constexpr auto kKnown =
    std::to_array<std::string_view>({"connections.detail", "history.text", "jobs.error_message", "jobs.trigger",
                                     "steps.input", "steps.message", "steps.output"});

constexpr auto kPayloads =
    std::to_array<std::string_view>({"history.text", "jobs.trigger", "steps.input", "steps.output"});

std::string text_in(const ValueMap& cells, std::string_view column) { return cells.at(Value(column)).as_string(); }

std::uint64_t number_in(const ValueMap& cells, std::string_view column) {
  return static_cast<std::uint64_t>(cells.at(Value(column)).as_int());
}

struct Attempt {
  JobId job;
  std::string path;
  std::uint32_t number = 0;
};
Attempt attempt_in(const ValueMap& cells) {
  return {JobId(text_in(cells, "job")), text_in(cells, "path"),
          static_cast<std::uint32_t>(number_in(cells, "attempt"))};
}

std::optional<Bytes> bytes_of(const Value& cell) {
  return cell.is(Value::Kind::bytes) ? std::optional(cell.as_bytes()) : std::nullopt;
}

}  // namespace

bool RowOpener::is_payload(std::string_view record) { return std::ranges::find(kPayloads, record) != kPayloads.end(); }

bool RowOpener::knows(std::string_view record) { return std::ranges::find(kKnown, record) != kKnown.end(); }

asio::awaitable<ValueMap> RowOpener::open(store::Extracted row) {
  auto shown = row.cells;
  for (const auto& [column, cell] : row.cells) {
    const auto* field = domain::find_field(row.table, column.as_string());
    if (field == nullptr || field->record.empty()) continue;
    auto value = co_await open_cell(field->record, row.cells, bytes_of(cell));
    shown.erase(column);
    shown.emplace(Value(column.as_string().substr(std::string_view("sealed_").size())), std::move(value));
  }
  co_return shown;
}

asio::awaitable<Value> RowOpener::open_cell(std::string_view record, const ValueMap& cells,
                                            std::optional<Bytes> sealed) {
  if (record == "jobs.trigger") co_return co_await open_trigger(JobId(text_in(cells, "job")), std::move(sealed));
  if (record.starts_with("steps.")) {
    const auto column = record.substr(std::string_view("steps.").size());
    const auto step = attempt_in(cells);
    auto identity = jobs::step_identity(org_, column, step.job, step.path, step.number);
    if (column == "message") co_return co_await reader_.read_message(std::move(identity), std::move(sealed));
    co_return co_await reader_.read_json(std::move(identity), std::move(sealed));
  }
  if (record == "history.text") {
    co_return co_await reader_.read_text(
        jobs::log_identity(org_, JobId(text_in(cells, "job")), number_in(cells, "epoch"), number_in(cells, "job_seq")),
        std::move(sealed));
  }
  if (record == "jobs.error_message") {
    co_return co_await reader_.read_message(jobs::error_identity(org_, JobId(text_in(cells, "id"))), std::move(sealed));
  }
  if (record == "connections.detail") {
    co_return co_await reader_.read_message(
        jobs::connection_identity(org_, AgentId(text_in(cells, "agent")), text_in(cells, "name")), std::move(sealed));
  }
  co_return Value();
}

asio::awaitable<Value> RowOpener::open_trigger(JobId job, std::optional<Bytes> sealed) {
  const auto found = co_await services_.stores.jobs.find(org_, job);
  if (!found && found.error().code == Errc::not_found) co_return Value();
  if (!found) co_return reader_.mark_unreadable("jobs.trigger", found.error());
  const auto value = co_await reader_.read_json(jobs::trigger_identity(org_, job), std::move(sealed));
  const auto mask = co_await trigger_mask_of(services_, outlines_, *found);
  co_return redacted(mask.labelled(value));
}

}  // namespace sallyport::api
