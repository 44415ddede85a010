#include "relay/cli/step_table.h"

#include "relay/cli/output.h"
#include "relay/cli/requests.h"
#include "shared/base/percent.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

namespace sallyport::cli {
namespace {

constexpr std::string_view kAgain = "tried again";
constexpr std::string_view kRan = "ran";

// "upsert[3]" is one of "upsert[]"; "rows" is itself.
std::string line_of(std::string_view path) {
  return path.ends_with(']') ? std::string(path.substr(0, path.rfind('['))) + "[]" : std::string(path);
}

bool is_trouble(std::string_view end) { return end == "failed" || end == "in_doubt" || end == "cancelled"; }

std::string end_of(const Value& step) {
  const auto status = text_of(step, "status");
  if (status == "failed" && !text_of(step, "retry_at").empty()) return std::string(kAgain);
  const auto plan = text_of(step, "plan");
  return plan == kRan || plan.empty() || status != "succeeded" ? status : plan;  // of a dry run: what it did instead
}

// "  exit_code: 3", and text of several lines below its name.
std::string lines_of(const ValueMap& output) {
  std::string text;
  for (const auto& [name, value] : output) {
    if (!value.is(Value::Kind::string)) {
      if (!value.is_null()) text += fmt::format("  {}: {}\n", cell_of(&name), cell_of(&value));
      continue;
    }
    if (value.as_string().empty()) continue;
    text += fmt::format("  {}:\n", cell_of(&name));
    std::istringstream lines(value.as_string());
    for (std::string line; std::getline(lines, line);) text += fmt::format("    {}\n", terminal_safe(line));
  }
  return text;
}

Value or_null(const std::string& text) { return text.empty() ? Value() : Value(text); }

}  // namespace

void StepTable::add(const Value& step) {
  const auto name = line_of(text_of(step, "path"));
  auto known = std::ranges::find(steps_, name, &Items::path);
  if (known == steps_.end()) known = steps_.insert(known, Items{.path = name});
  count_item(*known, step);
}

void StepTable::count_item(Items& items, const Value& step) {
  const auto end = end_of(step);
  const auto started = text_of(step, "started_at"), finished = text_of(step, "finished_at");
  ++items.count;
  ++items.ends[end];
  if (items.uses.empty()) items.uses = text_of(step, "uses");
  if (items.started_at.empty() || (!started.empty() && started < items.started_at)) items.started_at = started;
  items.finished_at = std::max(items.finished_at, finished);
  if (items.first.size() < kMostItems) items.first.push_back(step);
  if (!is_trouble(end)) return;
  ++items.troubles;
  if (items.troubled.size() < kMostItems) items.troubled.push_back(step);
}

Value StepTable::summary_of(const Items& items) {
  std::string ends;
  for (const auto& [end, count] : items.ends) ends += fmt::format("{}{} {}", ends.empty() ? "" : ", ", count, end);
  const bool runs = items.ends.contains("running");
  return Value(ValueMap{{Value("path"), Value(items.path)},
                        {Value("status"), Value(ends)},
                        {Value("uses"), or_null(items.uses)},
                        {Value("started_at"), or_null(items.started_at)},
                        {Value("finished_at"), runs ? Value() : or_null(items.finished_at)},
                        {Value("error_class"), Value("")},
                        {Value("message"), Value("")}});
}

ValueList StepTable::rows() const {
  ValueList rows;
  for (const auto& items : steps_) {
    const bool few = items.count <= kMostItems;
    if (!few) rows.push_back(summary_of(items));
    const auto& shown = few ? items.first : items.troubled;
    rows.insert(rows.end(), shown.begin(), shown.end());
  }
  return rows;
}

std::string StepTable::left_out() const {
  std::string text;
  for (const auto& items : steps_) {
    if (items.count <= kMostItems || items.troubles <= items.troubled.size()) continue;
    text += fmt::format("{}: {} of {} that did not succeed are shown; -o json has all\n", items.path,
                        items.troubled.size(), items.troubles);
  }
  return text;
}

namespace {

Result<std::string> output_of(Client& client, const std::string& job, const Value& row) {
  const auto path = text_of(row, "path"), attempt = cell_of(row.find("attempt"));
  SP_TRY(const auto page, client.get(fill("/v1/jobs/{}/steps", job) + "?path=" + percent_encode(path)));
  const Value* items = page.find("items");
  if (items == nullptr || !items->is(Value::Kind::list)) return fail(Errc::invalid, "the relay's answer is no list");
  for (const auto& step : items->as_list()) {
    const Value* output = step.find("output");
    if (cell_of(step.find("attempt")) != attempt || output == nullptr || !output->is(Value::Kind::map)) continue;
    const auto lines = lines_of(output->as_map());
    return lines.empty() ? lines : fmt::format("\n{} (attempt {}) gave\n{}", terminal_safe(path), attempt, lines);
  }
  return "";
}

}  // namespace

Result<std::string> failed_outputs(Client& client, const std::string& job, const ValueList& rows) {
  std::vector<const Value*> failed;
  for (const auto& row : rows) {
    const bool counted = text_of(row, "path").ends_with("[]");
    if (text_of(row, "status") == "failed" && !counted) failed.push_back(&row);
  }
  if (failed.size() > kMostOutputs) failed.erase(failed.begin(), failed.end() - kMostOutputs);
  std::string text;
  for (const auto* row : failed) {
    SP_TRY(const auto gave, output_of(client, job, *row));
    text += gave;
  }
  return text;
}

Result<void> each_step(Client& client, const std::string& job, Payloads payloads,
                       const std::function<void(const Value& step)>& take) {
  const auto path =
      fill("/v1/jobs/{}/steps", job) + (payloads == Payloads::with ? "?limit=200" : "?payloads=without&limit=1000");
  std::string cursor;
  do {
    SP_TRY(const auto page, client.get(cursor.empty() ? path : path + "&cursor=" + percent_encode(cursor)));
    const Value* items = page.find("items");
    if (items == nullptr || !items->is(Value::Kind::list)) return fail(Errc::invalid, "the relay's answer is no list");
    for (const auto& step : items->as_list()) take(step);
    cursor = text_of(page, "next");
  } while (!cursor.empty());
  return {};
}

}  // namespace sallyport::cli
