#pragma once

#include "agent/platform/shared_library.h"

#include <string>

#include <amqp.h>
#include <amqp_framing.h>

namespace sallyport::connectors::amqp {

// Its codec only: the sockets are ours (docs/decisions/0049).
#define SALLYPORT_LIBRABBITMQ_FUNCTIONS(X) \
  X(amqp_destroy_connection)               \
  X(amqp_encode_method)                    \
  X(amqp_encode_properties)                \
  X(amqp_error_string2)                    \
  X(amqp_handle_input)                     \
  X(amqp_maybe_release_buffers)            \
  X(amqp_new_connection)                   \
  X(amqp_tune_connection)

// The functions of librabbitmq, under their own names.
struct Librabbitmq {
  SALLYPORT_LIBRABBITMQ_FUNCTIONS(SALLYPORT_FUNCTION_MEMBER)
};

// Errors: not_found, with what to install.
Result<Librabbitmq> open_librabbitmq(const std::string& file = "librabbitmq.so.4");

// librabbitmq is loaded by the first connection to an AMQP broker (docs/decisions/0015).
Result<void> load_librabbitmq();
// After load_librabbitmq.
const Librabbitmq& librabbitmq();

}  // namespace sallyport::connectors::amqp
