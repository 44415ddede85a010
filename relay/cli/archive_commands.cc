#include "relay/cli/commands.h"
#include "relay/cli/requests.h"
#include "shared/base/json.h"

#include <fmt/format.h>

namespace sallyport::cli {
namespace {

constexpr std::string_view kArchive = "/v1/archive", kJobs = "/v1/archive/jobs";
constexpr std::string_view kNowhere = "none";

const std::vector<Column> kColumns{
    {"JOB", "job"}, {"ARCHIVE", "place"}, {"ARCHIVED", "archived_at"}, {"UNTIL", "expires_at"}, {"BYTES", "size"}};

std::string text_of_archive(const Value& archive) {
  const auto* place = archive.find("place");
  const bool off = place == nullptr || place->is_null();
  auto text = fmt::format("archive: {}\nwaiting: {}\n", off ? std::string(kNowhere) : cell_of(place),
                          cell_of(archive.find("waiting")));
  if (const auto trouble = cell_of(archive.find("trouble")); !trouble.empty() && trouble != "-")
    text += fmt::format("trouble: {}\n", trouble);
  return text;
}

int show_archive(Context& context, const Arguments&) {
  return with_client(context, [&](Client& client) -> Result<void> {
    SP_TRY(const auto archive, client.get(std::string(kArchive)));
    context.show(archive, text_of_archive(archive));
    return {};
  });
}

int set_archive(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) -> Result<void> {
    const auto& place = arguments.positionals()[0];
    context.words.insert_or_assign("/place", "ARCHIVE");
    const Value order(ValueMap{{Value("place"), place == kNowhere ? Value() : Value(place)}});
    SP_TRY(const auto archive, client.json({.method = "PUT",
                                            .path = std::string(kArchive),
                                            .content_type = "application/json",
                                            .body = to_json(order)}));
    context.show(archive, text_of_archive(archive));
    return {};
  });
}

int list_archived(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) -> Result<void> {
    SP_TRY(const auto jobs, list_some(client, std::string(kJobs), part_of(arguments)));
    context.show(jobs, table_of(jobs.find("items")->as_list(), kColumns));
    tell_more(context, jobs);
    return {};
  });
}

int get_archived(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) -> Result<void> {
    SP_TRY(const auto id, checked_id("archived job", "job_", arguments.positional(0)));
    SP_TRY(const auto job, about(client.get(fmt::format("{}/{}", kJobs, id)), "archived job", id));
    context.show(job, job.find("record")->as_string());
    return {};
  });
}

}  // namespace

std::vector<Command> archive_commands() {
  return {
      {"archive",
       "show",
       {},
       {},
       "where records of the organisation's jobs are archived, and how many wait",
       show_archive},
      {"archive",
       "set",
       {"ARCHIVE"},
       {},
       "archive in one of the relay's archives from now on, or in `none` (owner)",
       set_archive},
      {"archive",
       "list",
       {},
       {{"limit", "N", "at most so many (50)"}, {"cursor", "CURSOR", "go on after an earlier list: its `next`"}},
       "jobs whose record is in the archive, newest first (owner)",
       list_archived},
      {"archive",
       "get",
       {"JOB"},
       {},
       "the record of a job from the archive, a JSON line for each part (owner)",
       get_archived},
  };
}

}  // namespace sallyport::cli
