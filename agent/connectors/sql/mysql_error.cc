#include "agent/connectors/sql/mysql_error.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace sallyport::connectors::sql {
namespace {

enum class Text { quoted, key, own, withheld };  // own: the one of the table

struct Meaning {
  unsigned code;                           // mysqld_error.h
  std::string_view sqlstate, error_class;  // without a SQLSTATE: the server's
  Text text;
  std::string_view own = {};
};

constexpr std::string_view kDenied = "permission is denied";
constexpr std::string_view kNoRead = "a value has the wrong form for its type";

constexpr std::array kMeanings{
    Meaning{1022, "23505", "constraint", Text::key},
    Meaning{1062, "23505", "constraint", Text::key},
    Meaning{1169, "23505", "constraint", Text::key},
    Meaning{1557, "23505", "constraint", Text::key},
    Meaning{1586, "23505", "constraint", Text::key},
    Meaning{1216, "23503", "constraint", Text::quoted},
    Meaning{1217, "23503", "constraint", Text::quoted},
    Meaning{1451, "23503", "constraint", Text::quoted},
    Meaning{1452, "23503", "constraint", Text::quoted},
    Meaning{1048, "23502", "constraint", Text::quoted},
    Meaning{1364, "23502", "constraint", Text::quoted},
    Meaning{3819, "23514", "constraint", Text::quoted},
    Meaning{4025, "23514", "constraint", Text::quoted},
    Meaning{1205, {}, "transaction", Text::own, "another transaction held a lock for too long"},
    Meaning{1213, "40001", "transaction", Text::own, "a deadlock with another transaction"},
    Meaning{1020, {}, "transaction", Text::own, "another transaction has changed the row meanwhile"},
    Meaning{1049, "3D000", "not_found", Text::own, "the database does not exist"},
    Meaning{1044, "42501", "permission", Text::own, kDenied},
    Meaning{1142, "42501", "permission", Text::own, kDenied},
    Meaning{1143, "42501", "permission", Text::own, kDenied},
    Meaning{1227, "42501", "permission", Text::own, kDenied},
    Meaning{1370, "42501", "permission", Text::own, kDenied},
    Meaning{1290, {}, "permission", Text::own, "the server does not take changes"},
    Meaning{1836, {}, "permission", Text::own, "the server does not take changes"},
    Meaning{1792, "25006", "permission", Text::own, "the transaction is read only"},
    Meaning{1021, "53100", "disk_full", Text::own, "the server's disk is full"},
    Meaning{1114, "53100", "disk_full", Text::own, "the table is full"},
    Meaning{1153, {}, "too_large", Text::own, "it is larger than the server's max_allowed_packet"},
    Meaning{1301, {}, "too_large", Text::own, "it is larger than the server's max_allowed_packet"},
    Meaning{1264, "22003", "invalid", Text::own, "a number is out of range for its column"},
    Meaning{1406, "22001", "invalid", Text::own, "a text is too long for its column"},
    Meaning{1365, "22012", "invalid", Text::own, "division by zero"},
    Meaning{1292, {}, "invalid", Text::own, kNoRead},
    Meaning{1366, {}, "invalid", Text::own, kNoRead},
    Meaning{1146, {}, "invalid", Text::own, "a table or view does not exist"},
    Meaning{1305, {}, "invalid", Text::own, "a function or procedure does not exist"},
    Meaning{1040, {}, "connection", Text::own, "the server has too many connections"},
    Meaning{1053, {}, "connection", Text::own, "the server is shutting down"},
    Meaning{1203, {}, "connection", Text::own, "the user has too many connections"},
    Meaning{1226, {}, "connection", Text::own, "the user has used up what the server grants per hour"},
    Meaning{1927, {}, "connection", Text::own, "the connection was ended by the server"},
    Meaning{4031, {}, "connection", Text::own, "the connection was idle for too long"},
};

struct Family {
  std::string_view prefix, error_class;  // of the SQLSTATE; the first that fits counts
};
constexpr std::array kFamilies{Family{"08", "connection"},  Family{"23", "constraint"}, Family{"40", "transaction"},
                               Family{"25", "transaction"}, Family{"28", "permission"}, Family{"", "invalid"}};

constexpr std::array kInterrupted{1317u, 1969u, 3024u};
// Of the server, and of the client library: a method of logging in that it has not (2059), or that is not allowed
// (5010).
constexpr std::array kRefusedLogins{1044u, 1045u, 1130u, 1251u, 1275u, 1524u, 1698u,
                                    1820u, 1862u, 2059u, 3118u, 3955u, 4151u, 5010u};

// The server cuts its texts at 512 bytes: a whole one has the name of the key at its end, whatever the value holds.
std::string_view key_of(std::string_view text) {
  constexpr std::size_t kSurelyWhole = 480;
  constexpr std::string_view kBefore = "for key '";
  const auto at = text.rfind(kBefore);
  if (text.size() > kSurelyWhole || at == std::string_view::npos || !text.ends_with('\'')) return {};
  const auto name = text.substr(at + kBefore.size());
  return name.substr(0, name.size() - 1);
}

std::string text_of(const Meaning& meaning, std::string_view said) {
  switch (meaning.text) {
    case Text::quoted: return std::string(said);
    case Text::own: return std::string(meaning.own);
    case Text::withheld: break;
    case Text::key:
      if (const auto key = key_of(said); !key.empty())
        return fmt::format("the unique key {} has such an entry already", key);
      return "a unique key has such an entry already";
  }
  return "the server refused the statement or a value";
}

}  // namespace

bool is_of_the_client(unsigned code) { return (code >= 2000 && code < 3000) || (code >= 5000 && code < 6000); }

StepError mysql_error(const MysqlComplaint& complaint, Phase phase, const CallLimits& limits) {
  if (std::ranges::find(kInterrupted, complaint.code) != kInterrupted.end()) {
    if (limits.stop.stop_requested()) return {{"cancelled"}, "stopped", {}};
    return {{"timeout"}, "the statement did not end in time", {}};
  }
  const auto known = std::ranges::find(kMeanings, complaint.code, &Meaning::code);
  const auto family =
      std::ranges::find_if(kFamilies, [&](const Family& one) { return complaint.sqlstate.starts_with(one.prefix); });
  auto meaning = known == kMeanings.end() ? Meaning{complaint.code, {}, family->error_class, Text::withheld} : *known;
  if (meaning.sqlstate.empty()) meaning.sqlstate = complaint.sqlstate;
  const bool names_only = phase == Phase::prepare && meaning.error_class == "invalid";
  const auto text = names_only ? std::string(complaint.text) : text_of(meaning, complaint.text);
  return {{fmt::format("sqlstate:{}", meaning.sqlstate), std::string(meaning.error_class)},
          fmt::format("{} (error {}, SQLSTATE {})", text, complaint.code, meaning.sqlstate),
          {}};
}

StepError mysql_connection_error(const MysqlComplaint& complaint, std::string_view doing) {
  auto message = fmt::format("{}: {} (error {})", doing, complaint.text, complaint.code);
  if (std::ranges::find(kRefusedLogins, complaint.code) != kRefusedLogins.end())
    return {{"sqlstate:28000", "permission"}, std::move(message), {}};
  if (complaint.code == 1049) return {{"sqlstate:3D000", "not_found"}, std::move(message), {}};
  return {{"connection"}, std::move(message), {}};
}

}  // namespace sallyport::connectors::sql
