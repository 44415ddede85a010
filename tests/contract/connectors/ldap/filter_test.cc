#include "agent/connectors/ldap/filter.h"
#include "agent/connectors/ldap/entry_row.h"
#include "agent/connectors/ldap/result_code.h"

#include <catch2/catch.hpp>

using namespace sallyport;
using namespace sallyport::connectors;
using namespace sallyport::connectors::ldap;

namespace {

std::string filled(std::string_view text, Value value = Value("v")) {
  const auto filter = Filter::parse(text);
  if (!filter) return "refused";
  const auto whole = filter->fill(Value(ValueMap{{Value("p"), std::move(value)}}));
  return whole ? *whole : "no value";
}

}  // namespace

TEST_CASE("a filter is written anew from its parts", "[ldap][filter]") {
  CHECK(filled("(uid=:p)") == "(uid=v)");
  CHECK(filled(" ( & (objectClass=person)\n (!(uid=:p)) (|(a>=1)(b<=2)(c~=3)) ) ") ==
        "(&(objectClass=person)(!(uid=v))(|(a>=1)(b<=2)(c~=3)))");
  CHECK(filled("(cn=a*:p*b)") == "(cn=a*v*b)");
  CHECK(filled("(cn=*)") == "(cn=*)");
  CHECK(filled("(memberOf:1.2.840.113556.1.4.1941:=cn=a,dc=b)") == "(memberOf:1.2.840.113556.1.4.1941:=cn=a,dc=b)");
  CHECK(filled("(cn:dn:caseExactMatch:=x)") == "(cn:dn:caseExactMatch:=x)");
  CHECK(filled("(a=\\2a\\28 x)") == "(a=\\2a\\28\\20x)");
  CHECK(filled("(a=http\\3a//x)") == "(a=http\\3a//x)");
  CHECK(filled("(a=1:2)") == "(a=1\\3a2)");
  CHECK(filled("(a=:p:p)") == "(a=vv)");
  for (const char* wrong : {"", "uid=a", "(uid=a", "(uid=a))", "(uid=a)(b=c)", "(=a)", "(1.2.3=a)", "(:dn:=a)", "(&)",
                            "(!(a=b)(c=d))", "(a=(b))", "(a>=*)", "(a=\\zz)", "(a=\\2)", "(a<b)", "(a:=b:=", "(*=a)"}) {
    INFO(wrong);
    CHECK(filled(wrong) == "refused");
  }
  std::string deep;
  for (int i = 0; i < 40; ++i) deep += "(!";
  CHECK(filled(deep + "(a=b)" + std::string(40, ')')) == "refused");
  CHECK(Filter::parse("(&(objectClass=a)(userCertificate;binary=b))")->attributes() ==
        std::vector<std::string>{"objectClass", "userCertificate"});
}

TEST_CASE("no value ends its condition", "[ldap][filter]") {
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  const Bytes bytes(as_bytes(all).begin(), as_bytes(all).end());
  const auto whole = filled("(a=:p)", Value(bytes));
  CHECK(whole.find_first_of("()*\\", 3) == whole.find('\\'));  // the first special sign is an escape
  CHECK(std::ranges::count(whole, '(') == 1);
  CHECK(std::ranges::count(whole, ')') == 1);
  CHECK(std::ranges::count(whole, '*') == 0);
  CHECK(filled("(a=:p)", Value(7)) == "(a=7)");
  CHECK(filled("(a=:p)", Value(true)) == "(a=TRUE)");
  for (const Value& wrong : {Value(), Value(""), Value(ValueList{}), Value(1.5)})
    CHECK(filled("(a=:p)", wrong) == "no value");
  CHECK(filled("(a=:q)") == "no value");
}

TEST_CASE("parts of an attribute are known by their range", "[ldap][range]") {
  CHECK(next_of_range("member;range=0-1499") == 1500);
  CHECK(next_of_range("member;Range=1500-2999") == 3000);
  for (const char* last :
       {"member", "member;range=3000-*", "member;range=", "member;range=1-x", "a;range=0-99999999999"})
    CHECK_FALSE(next_of_range(last));
  CHECK(folded_name("Member;range=0-1499") == "member");
  CHECK(folded_name("userCertificate;binary") == "usercertificate");
  CHECK(folded_name("cn;lang-de") == "cn;lang-de");
}

TEST_CASE("result codes have a general class, and Active Directory's reasons words", "[ldap][errors]") {
  CHECK(result_error(68, "x").classes == std::vector<std::string>{"ldap:68", "constraint"});
  CHECK(result_error(49, "x").classes.back() == "permission");
  CHECK(result_error(52, "x").classes.back() == "connection");
  CHECK(result_error(80, "x").classes.back() == "invalid");
  CHECK(login_reason("80090308: LdapErr: DSID-0C09, comment: AcceptSecurityContext error, data 775, v4563") ==
        "the account is locked");
  CHECK(login_reason("data").empty());
}
