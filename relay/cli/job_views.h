#pragma once

#include "relay/cli/requests.h"

#include <functional>
#include <string>
#include <string_view>

// What commands about jobs share.
namespace sallyport::cli {

Result<std::string> job_id(const Arguments& arguments);  // the first positional argument
Result<Value> ask_job(Client& client, const std::string& id, std::string_view below = "");
// The recipe of this name, or the last one of it that was deleted: its jobs stay.
Result<std::string> recipe_id_of(Client& client, const std::string& name_or_id);
// Where the jobs are listed that --state, --since, --until, --recipe and --agent ask for, as far as there are such
// options.
enum class Ended { or_not, only };
Result<std::string> jobs_path(Client& client, const Arguments& arguments, Ended ended = Ended::or_not);

// A page of jobs.
void show_jobs(const Context& context, Client& client, const Value& jobs);
// One job with its steps. People also get what `more` says of it, below its card.
Result<void> show_job(const Context& context, Client& client, const std::string& id,
                      const std::function<std::string(const Value& job)>& more = {});
// Everything that was reported of a job, in order; ends early when nothing can be printed any more.
Result<void> each_event(const Context& context, Client& client, const std::string& id,
                        const std::function<void(const Value& event)>& take);

}  // namespace sallyport::cli
