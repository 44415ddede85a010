#pragma once

#include "relay/cli/client.h"
#include "relay/cli/context.h"
#include "relay/cli/fixtures/recording.h"

namespace sallyport::cli {

// What is kept of a job of this recipe that an agent has brought to its end. Errors say what is in the way.
Result<fixtures::Recording> recorded(Client& client, const recipe::Recipe& recipe, std::string_view word);

// `recipes test FILE --record JOB`: a fixture of what is kept of the job, to standard output; what is not in it and
// has to be written by hand, to standard error.
int record_job(Context& context, const Arguments& arguments);

}  // namespace sallyport::cli
