#pragma once

#include "shared/base/field_class.h"

#include <algorithm>
#include <array>
#include <string_view>

// Every field that a log line may have. Log writes "***" in place of the value of any other, and tests/fields.py
// fails for a name in the sources that is not here, or here and in no source.
namespace sallyport {

struct LogFieldClass {
  std::string_view name;
  FieldClass is;
  std::string_view what;
};

// By name. A new line of the log: add its fields here, one line each.
inline constexpr auto kLogFields = std::to_array<LogFieldClass>({
    {"action", FieldClass::public_, "what the audit ledger was to be told"},
    {"actor", FieldClass::sensitive, "who called: an id of a user or token"},
    {"address", FieldClass::sensitive, "an address and port, of a peer or of ours"},
    {"age_days", FieldClass::public_, "how old a key is"},
    {"agent", FieldClass::public_, "an agent's id"},
    {"agent_connections", FieldClass::public_, "how many are allowed"},
    {"api", FieldClass::public_, "where the API listens"},
    {"api_connections", FieldClass::public_, "how many are allowed"},
    {"at_days", FieldClass::public_, "how old a key may get"},
    {"certificate", FieldClass::public_, "which certificate: the server's or that of an organisation's CA"},
    {"class", FieldClass::public_, "the class of an error"},
    {"clock", FieldClass::public_, "what the clock says"},
    {"code", FieldClass::public_, "the code of an error"},
    {"command", FieldClass::sensitive, "the name of a command in the agent's configuration"},
    {"connection", FieldClass::sensitive, "the name of a connection in the agent's configuration"},
    {"count", FieldClass::public_, "how many"},
    {"cut_connections", FieldClass::public_, "how many"},
    {"damaged", FieldClass::public_, "how many"},
    {"days_left", FieldClass::public_, "how many"},
    {"detail", FieldClass::sensitive, "how a tunnel's connection ended, in words"},
    {"end", FieldClass::public_, "how a tunnel's connection ended"},
    {"epoch", FieldClass::public_, "the epoch of a lease"},
    {"erasure", FieldClass::public_, "an erasure's id"},
    {"failures", FieldClass::public_, "how many in a row"},
    {"first", FieldClass::public_, "a time"},
    {"found", FieldClass::public_, "what an agent's journal says"},
    {"from_target", FieldClass::public_, "a number of bytes"},
    {"generation", FieldClass::public_, "which of an agent's sealing keys"},
    {"global_version", FieldClass::public_, "of the key at the top"},
    {"group", FieldClass::sensitive, "an agent group's id or name"},
    {"hours", FieldClass::public_, "how many hours' keys"},
    {"in_ms", FieldClass::public_, "a duration"},
    {"issued_at", FieldClass::public_, "a time"},
    {"issuer", FieldClass::sensitive, "who signed a foreign certificate"},
    {"job", FieldClass::public_, "a job's id"},
    {"jobs", FieldClass::public_, "how many"},
    {"journal_seq", FieldClass::public_, "a position in a journal"},
    {"kind", FieldClass::public_, "the kind of an event"},
    {"last", FieldClass::public_, "a time"},
    {"link", FieldClass::public_, "where the gateway listens"},
    {"message", FieldClass::sensitive, "an error's text: what happened, where, what to do"},
    {"method", FieldClass::public_, "of an HTTP request"},
    {"ms", FieldClass::public_, "a duration"},
    {"needed", FieldClass::public_, "how many"},
    {"not_after", FieldClass::public_, "a time"},
    {"number", FieldClass::public_, "of a link"},
    {"of", FieldClass::public_, "whose certificate: the server's or that of an organisation's CA"},
    {"open", FieldClass::public_, "how many"},
    {"open_files", FieldClass::public_, "how many are allowed"},
    {"org", FieldClass::public_, "an organisation's id"},
    {"organisations", FieldClass::public_, "how many"},
    {"path", FieldClass::sensitive, "of an HTTP request, or of a file"},
    {"peer", FieldClass::sensitive, "a caller's address"},
    {"pin", FieldClass::public_, "the digest of a root's public key"},
    {"problem", FieldClass::sensitive, "an error's text"},
    {"protocol", FieldClass::public_, "which"},
    {"reason", FieldClass::sensitive, "an error's text, or the word for it"},
    {"received", FieldClass::public_, "a number of bytes"},
    {"recipe", FieldClass::sensitive, "a recipe's id or name"},
    {"recipes", FieldClass::public_, "how many"},
    {"record", FieldClass::public_, "table and column of a sealed field"},
    {"records", FieldClass::public_, "how many"},
    {"relay", FieldClass::sensitive, "the relay's address"},
    {"released", FieldClass::public_, "whether space that was held back is free"},
    {"reported_seq", FieldClass::public_, "a position in a journal"},
    {"request_id", FieldClass::public_, "of an HTTP request"},
    {"revision", FieldClass::public_, "of an agent's assignments"},
    {"root", FieldClass::sensitive, "the name of a root certificate"},
    {"route", FieldClass::public_, "a route's pattern"},
    {"rule", FieldClass::sensitive, "file, line and name of a rule of the agent's policy"},
    {"running_steps", FieldClass::public_, "how many"},
    {"secret", FieldClass::sensitive, "the name of a secret, never its value"},
    {"sent", FieldClass::public_, "a number of bytes"},
    {"seq", FieldClass::public_, "a position in a job's history"},
    {"serial", FieldClass::public_, "of a certificate"},
    {"sessions", FieldClass::public_, "how many"},
    {"signal", FieldClass::public_, "which"},
    {"source", FieldClass::sensitive, "the address somebody came from"},
    {"state", FieldClass::public_, "of a job"},
    {"status", FieldClass::public_, "of an HTTP answer, or of a job"},
    {"subject", FieldClass::public_, "what is erased: a person or an organisation"},
    {"system_key", FieldClass::sensitive, "the name of a system key"},
    {"target", FieldClass::sensitive, "host and port behind an agent"},
    {"task", FieldClass::public_, "which part of the program"},
    {"times", FieldClass::public_, "how often"},
    {"to_target", FieldClass::public_, "a number of bytes"},
    {"token", FieldClass::public_, "the id of an API token, never the token"},
    {"trigger", FieldClass::public_, "the kind of a trigger"},
    {"tunnel", FieldClass::public_, "a tunnel's id"},
    {"tunnel_connections", FieldClass::public_, "how many are allowed"},
    {"tunnel_listeners", FieldClass::public_, "which addresses they may have"},
    {"tunnel_target", FieldClass::sensitive, "host and port that a policy refused"},
    {"user", FieldClass::sensitive, "a user's id"},
    {"uses", FieldClass::public_, "the action of a step"},
    {"version", FieldClass::public_, "which version of a system key"},
    {"waiting", FieldClass::public_, "how many"},
    {"way", FieldClass::public_, "how the relay is reached"},
    {"webhook", FieldClass::public_, "the id of a webhook"},
    {"what", FieldClass::sensitive, "the text of an exception"},
    {"why", FieldClass::sensitive, "an error's text"},
});
static_assert(std::ranges::adjacent_find(kLogFields, std::ranges::greater_equal(), &LogFieldClass::name) ==
                  kLogFields.end(),
              "the fields of logs stand in the order of their names, each once");

constexpr FieldClass class_of_log_field(std::string_view name) {
  const auto* found = std::ranges::lower_bound(kLogFields, name, {}, &LogFieldClass::name);
  return found != kLogFields.end() && found->name == name ? found->is : FieldClass::secret;
}

}  // namespace sallyport
