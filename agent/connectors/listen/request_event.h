#pragma once

#include "agent/connectors/listen/proof.h"
#include "agent/connectors/trigger.h"
#include "shared/http/problem.h"
#include "shared/http/types.h"

#include <expected>
#include <string>

namespace sallyport::connectors::listen {

// What a request whose sender is known starts a job with, and the id that the sender is answered with: the same for a
// delivery that comes again. Its identity is the delivery's id (when the sender's header is named, or signed) with the
// body, else what was signed; of what has neither, every request is another event. Problems: the header with the id is
// missing; a name in the query is there twice; more than the data of a trigger may have.
struct RequestEvent {
  std::string id;
  TriggerEvent event;
};
std::expected<RequestEvent, http::Problem> make_event(const std::string& connection, const policy::ListenSender& sender,
                                                      http::Request request, const Proven& proven);

}  // namespace sallyport::connectors::listen
