#include "agent/connectors/kafka/client.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace sallyport::connectors::kafka {
namespace {

struct Meaning {
  rd_kafka_resp_err_t code;
  std::string_view error_class;
};
constexpr std::array kMeanings{Meaning{RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, "too_large"},
                               Meaning{RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE, "too_large"},
                               Meaning{RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, "permission"},
                               Meaning{RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, "permission"},
                               Meaning{RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, "permission"},
                               Meaning{RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, "permission"},
                               Meaning{RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, "permission"},
                               Meaning{RD_KAFKA_RESP_ERR__AUTHENTICATION, "permission"},
                               Meaning{RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, "not_found"},
                               Meaning{RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, "not_found"},
                               Meaning{RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, "not_found"},
                               Meaning{RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, "invalid"},
                               Meaning{RD_KAFKA_RESP_ERR_INVALID_MSG, "invalid"},
                               Meaning{RD_KAFKA_RESP_ERR_INVALID_RECORD, "invalid"},
                               Meaning{RD_KAFKA_RESP_ERR_INVALID_GROUP_ID, "invalid"},
                               Meaning{RD_KAFKA_RESP_ERR__INVALID_ARG, "invalid"},
                               Meaning{RD_KAFKA_RESP_ERR_POLICY_VIOLATION, "constraint"},
                               Meaning{RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, "timeout"},
                               Meaning{RD_KAFKA_RESP_ERR__TIMED_OUT, "timeout"}};

}  // namespace

StepError kafka_error(rd_kafka_resp_err_t code, std::string_view doing) {
  const auto it = std::ranges::find(kMeanings, code, &Meaning::code);
  return {{std::string(it == kMeanings.end() ? "connection" : it->error_class)},
          fmt::format("{}: {}", doing, librdkafka().rd_kafka_err2str(code)),
          {}};
}

}  // namespace sallyport::connectors::kafka
