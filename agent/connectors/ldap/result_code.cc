#include "agent/connectors/ldap/result_code.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace sallyport::connectors::ldap {
namespace {

struct Meaning {
  int code;
  std::string_view error_class, text;
};
constexpr std::array kMeanings{
    Meaning{1, "invalid", "the server cannot do this here (operationsError)"},
    Meaning{2, "invalid", "the server does not take the request (protocolError)"},
    Meaning{3, "timeout", "the server's own limit of time is over"},
    Meaning{4, "too_large", "the server gives no more entries (its own size limit)"},
    Meaning{7, "permission", "the server does not take this way of logging in"},
    Meaning{8, "permission", "the server wants a stronger login"},
    Meaning{10, "not_found", "the server refers to another one, which is not followed"},
    Meaning{11, "too_large", "the server's administrative limit is exceeded"},
    Meaning{12, "invalid", "the server does not know a control that is needed"},
    Meaning{13, "permission", "the server wants TLS: set `security` in connections.yaml"},
    Meaning{16, "not_found", "the entry has no such attribute or value"},
    Meaning{17, "invalid", "the server's schema does not know an attribute"},
    Meaning{18, "invalid", "the attribute cannot be compared like that"},
    Meaning{19, "constraint", "a constraint of the server refuses a value"},
    Meaning{20, "constraint", "the entry has such a value already"},
    Meaning{21, "invalid", "a value has not the form that its attribute wants"},
    Meaning{32, "not_found", "there is no such entry"},
    Meaning{34, "invalid", "the server does not take the entry's name"},
    Meaning{48, "permission", "the login cannot be made like that"},
    Meaning{49, "permission", "the server refuses name and password"},
    Meaning{50, "permission", "the server does not let this login do it"},
    Meaning{51, "connection", "the server is busy"},
    Meaning{52, "connection", "the server is not available"},
    Meaning{53, "constraint", "the server is unwilling to do this"},
    Meaning{64, "constraint", "the entry must not be named like that"},
    Meaning{65, "constraint", "the entry would not fit its object classes"},
    Meaning{66, "constraint", "there are entries below it"},
    Meaning{67, "constraint", "this would change what the entry is named by"},
    Meaning{68, "constraint", "an entry of this name exists already"},
    Meaning{69, "constraint", "the object classes must not be changed like that"},
    Meaning{71, "invalid", "the entry would have to move to another server"},
};

constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kLoginReasons{{
    {", data 525,", "no such user"},
    {", data 52e,", "wrong password"},
    {", data 530,", "not at this time"},
    {", data 532,", "the password has expired"},
    {", data 533,", "the account is disabled"},
    {", data 701,", "the account has expired"},
    {", data 773,", "the password has to be changed first"},
    {", data 775,", "the account is locked"},
}};

}  // namespace

StepError result_error(int code, std::string_view doing) {
  const auto it = std::ranges::find(kMeanings, code, &Meaning::code);
  const bool known = it != kMeanings.end();
  return {{fmt::format("ldap:{}", code), std::string(known ? it->error_class : "invalid")},
          fmt::format("{}: {} (result code {})", doing, known ? it->text : "the server refused", code),
          {}};
}

std::string_view login_reason(std::string_view diagnostic) {
  const auto it = std::ranges::find_if(kLoginReasons, [&](const auto& one) { return diagnostic.contains(one.first); });
  return it == kLoginReasons.end() ? std::string_view() : it->second;
}

}  // namespace sallyport::connectors::ldap
