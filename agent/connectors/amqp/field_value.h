#pragma once

#include "agent/connectors/amqp/librabbitmq.h"
#include "shared/base/value.h"

namespace sallyport::connectors::amqp {

// A message's headers as a map: texts, integers, numbers, booleans, times as seconds since 1970, lists and maps at most
// 4 deep; bytes that are no text in base64. What has no value of its own is left out.
ValueMap values_of(const amqp_table_t& table, int depth = 4);

}  // namespace sallyport::connectors::amqp
