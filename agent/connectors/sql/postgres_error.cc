#include "agent/connectors/sql/postgres_error.h"

#include "agent/connectors/sql/libpq.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace sallyport::connectors::sql {
namespace {

enum class Primary { quoted, quoted_at_prepare, withheld };

struct Meaning {
  std::string_view prefix;  // of the SQLSTATE; the first that fits counts
  std::string_view error_class;
  Primary primary;  // where does the server's own message name objects only?
};

constexpr std::array kMeanings{
    Meaning{"08", "connection", Primary::quoted},
    Meaning{"57P", "connection", Primary::quoted},
    Meaning{"53300", "connection", Primary::quoted},
    Meaning{"53100", "disk_full", Primary::quoted},
    Meaning{"53", "connection", Primary::quoted},
    Meaning{"23", "constraint", Primary::quoted},
    Meaning{"40", "transaction", Primary::quoted},
    Meaning{"55P03", "transaction", Primary::quoted},
    Meaning{"55006", "transaction", Primary::quoted},
    Meaning{"25006", "permission", Primary::quoted},
    Meaning{"25", "transaction", Primary::quoted},
    Meaning{"28", "permission", Primary::quoted_at_prepare},
    Meaning{"42501", "permission", Primary::quoted_at_prepare},
    Meaning{"42", "invalid", Primary::quoted_at_prepare},
    Meaning{"3D", "not_found", Primary::quoted_at_prepare},
    Meaning{"3F", "not_found", Primary::quoted_at_prepare},
    Meaning{"0A", "invalid", Primary::quoted_at_prepare},
    Meaning{"54", "too_large", Primary::quoted_at_prepare},
    Meaning{"22", "invalid", Primary::withheld},
    Meaning{"P0", "invalid", Primary::withheld},
    Meaning{"XX", "internal", Primary::withheld},
    Meaning{"58", "connection", Primary::withheld},
    Meaning{"", "invalid", Primary::withheld},
};

struct Name {
  std::string_view sqlstate, text;
};
constexpr std::array kNames{
    Name{"22001", "a text is too long for its column"},
    Name{"22003", "a number is out of range for its column"},
    Name{"22007", "a value is no date or time"},
    Name{"22008", "a date or time is out of range"},
    Name{"22012", "division by zero"},
    Name{"22021", "a text has a character the database cannot hold"},
    Name{"22P02", "a value has the wrong form for its type"},
    Name{"22P03", "a value has the wrong form for its type"},
    Name{"42501", "permission is denied"},
    Name{"42P01", "a table or view does not exist"},
    Name{"42P07", "a table or view exists already"},
    Name{"P0001", "an exception was raised by code in the database"},
};

std::string_view field(const pg_result* result, int code) {
  const char* text = libpq().PQresultErrorField(result, code);
  return text == nullptr ? std::string_view() : std::string_view(text);
}

std::string first_line(std::string_view text) { return std::string(text.substr(0, text.find('\n'))); }

}  // namespace

StepError sqlstate_error(std::string_view sqlstate, std::string_view primary, Phase phase, const CallLimits& limits) {
  if (sqlstate == "57014") {
    if (limits.stop.stop_requested()) return {{"cancelled"}, "stopped", {}};
    return {{"timeout"}, "the statement did not end in time", {}};
  }
  if (sqlstate == "0A000" && primary.starts_with("cached plan"))
    return {{"sqlstate:0A000", "transaction"}, "the table changed under a prepared statement", {}};
  const auto& meaning =
      *std::ranges::find_if(kMeanings, [&](const Meaning& one) { return sqlstate.starts_with(one.prefix); });
  const auto named = std::ranges::find(kNames, sqlstate, &Name::sqlstate);
  std::string text = "the server refused the statement or a value";
  if (named != kNames.end()) text = named->text;
  const bool quoted =
      meaning.primary == Primary::quoted || (meaning.primary == Primary::quoted_at_prepare && phase == Phase::prepare);
  if (quoted) text = first_line(primary);
  return {{fmt::format("sqlstate:{}", sqlstate), std::string(meaning.error_class)},
          fmt::format("{} (SQLSTATE {})", text, sqlstate),
          {}};
}

StepError postgres_error(const pg_result* result, Phase phase, const CallLimits& limits) {
  const auto sqlstate = field(result, PG_DIAG_SQLSTATE);
  if (sqlstate.size() != 5) return {{"connection"}, "the connection to the database broke", {}};
  return sqlstate_error(sqlstate, field(result, PG_DIAG_MESSAGE_PRIMARY), phase, limits);
}

// libpq puts the server's address in front while it connects.
std::string without_address(const std::string& text) {
  constexpr std::string_view kEnd = " failed: ";
  const auto end = text.find(kEnd);
  return text.starts_with("connection to server") && end != std::string::npos ? text.substr(end + kEnd.size()) : text;
}

StepError broken_session_error(const pg_conn* connection, std::string_view doing) {
  const auto reason = without_address(first_line(libpq().PQerrorMessage(connection)));
  return {
      {"connection"}, fmt::format("{}: {}", doing, reason.empty() ? "the server closed the connection" : reason), {}};
}

StepError postgres_connection_error(const pg_conn* connection, std::string_view doing) {
  auto reason = connection == nullptr ? std::string("out of memory") : first_line(libpq().PQerrorMessage(connection));
  const bool refused = reason.contains("authentication failed") || reason.contains("no password supplied") ||
                       reason.contains("pg_hba.conf");
  if (reason.contains("does not exist"))
    return {{"sqlstate:3D000", "not_found"}, fmt::format("{}: {}", doing, reason), {}};
  if (refused) return {{"sqlstate:28P01", "permission"}, fmt::format("{}: {}", doing, reason), {}};
  return {
      {"connection"}, fmt::format("{}: {}", doing, reason.empty() ? "the server closed the connection" : reason), {}};
}

}  // namespace sallyport::connectors::sql
