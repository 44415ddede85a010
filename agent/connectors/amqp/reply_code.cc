#include "agent/connectors/amqp/connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace sallyport::connectors::amqp {
namespace {

struct Meaning {
  std::uint16_t code;
  std::string_view error_class, reason;
};
constexpr std::array kMeanings{
    Meaning{AMQP_CONTENT_TOO_LARGE, "too_large", "the broker takes no message of that size"},
    Meaning{AMQP_NO_ROUTE, "not_found", "no queue gets it"},
    Meaning{AMQP_NO_CONSUMERS, "not_found", "nobody is there to get it"},
    Meaning{AMQP_ACCESS_REFUSED, "permission", "the broker does not allow it"},
    Meaning{AMQP_NOT_FOUND, "not_found", "the broker has no such exchange or queue"},
    Meaning{AMQP_RESOURCE_LOCKED, "constraint", "another connection has the queue for itself"},
    Meaning{AMQP_PRECONDITION_FAILED, "constraint", "a precondition failed"},
    Meaning{AMQP_CONNECTION_FORCED, "connection", "an operator closed the connection"},
    Meaning{AMQP_INVALID_PATH, "not_found", "the broker has no such vhost"},
    Meaning{AMQP_NOT_ALLOWED, "permission", "the broker does not allow it"},
    Meaning{AMQP_RESOURCE_ERROR, "connection", "the broker has too few resources"},
    Meaning{AMQP_NOT_IMPLEMENTED, "invalid", "the broker does not know how"}};

}  // namespace

StepError reply_error(std::uint16_t code, std::string_view doing) {
  const auto it = std::ranges::find(kMeanings, code, &Meaning::code);
  const bool known = it != kMeanings.end();
  return {{std::string(known ? it->error_class : "connection")},
          fmt::format("{}: {} (reply code {})", doing, known ? it->reason : "the broker ended it", code),
          {}};
}

}  // namespace sallyport::connectors::amqp
