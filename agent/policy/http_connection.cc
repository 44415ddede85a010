#include "agent/policy/http_connection.h"

#include "agent/policy/reading.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace sallyport::policy {
namespace {

using yaml::FieldReader;
using yaml::Need;

constexpr std::array<std::string_view, 5> kAuthTypes{"basic", "bearer", "oauth2", "ntlm", "negotiate"};

vault::SecretRef required_secret(FieldReader& fields, const std::string& key, std::string_view directory) {
  auto secret = read_secret_ref(fields, key, directory);
  if (!secret)
    fields.problem("type", "missing-field", fmt::format("`{0}_file`, `{0}_env` or `{0}_system_key` is missing", key));
  return secret;
}

// It is sent and compared as it is written.
std::string read_exact_url(FieldReader& fields, const std::string& name, Need need) {
  auto text = fields.text(name, need).value_or("");
  if (text.empty()) return text;
  if (!parse_http_url(text)) {
    fields.problem(
        name, "bad-url",
        fmt::format("`{}` must be https://host, with a port and a path if need be, as the server knows it", name));
  }
  return text;
}

HttpAuthorization read_authorization(FieldReader& fields) {
  HttpAuthorization authorization;
  authorization.url = read_http_url(fields, "authorization_url");
  authorization.redirect_url = read_exact_url(fields, "redirect_url", Need::required);
  authorization.issuer = read_exact_url(fields, "issuer", Need::optional);
  return authorization;
}

HttpOauth2 read_oauth2(FieldReader& fields, std::string_view directory) {
  HttpOauth2 oauth2;
  constexpr std::array<std::string_view, 2> kGrants{"client_credentials", "authorization_code"};
  const bool by_code = fields.choice("grant", kGrants) == "authorization_code";
  oauth2.token_url = read_http_url(fields, "token_url");
  oauth2.client_id = fields.text("client_id", Need::required).value_or("");
  oauth2.client_secret = by_code ? read_secret_ref(fields, "client_secret", directory)
                                 : required_secret(fields, "client_secret", directory);
  if (by_code) oauth2.authorization = read_authorization(fields);
  oauth2.scopes = fields.texts("scopes");
  oauth2.audience = fields.text("audience").value_or("");
  constexpr std::array<std::string_view, 2> kPlaces{"header", "body"};
  oauth2.secret_in_body = fields.choice("client_secret_in", kPlaces) == "body";
  return oauth2;
}

void read_auth(const yaml::Node& node, yaml::Report& report, std::string_view directory, HttpConnection& http) {
  FieldReader fields(node, report, "`auth`");
  const auto type = fields.choice("type", kAuthTypes, Need::required);
  const auto user = [&] { return fields.text("user", Need::required).value_or(""); };
  if (type == "basic") http.auth = HttpBasic{user(), required_secret(fields, "password", directory)};
  if (type == "bearer") http.auth = HttpBearer{required_secret(fields, "token", directory)};
  if (type == "oauth2") http.auth = read_oauth2(fields, directory);
  if (type == "ntlm") http.auth = HttpNtlm{user(), required_secret(fields, "password", directory)};
  if (type == "negotiate") http.auth = HttpNegotiate{};
  if (type) fields.finish();
}

bool is_token(std::string_view text) {  // RFC 9110 section 5.6.2
  constexpr std::string_view kAlso = "!#$%&'*+-.^_`|~";
  const auto fits = [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || kAlso.contains(c);
  };
  return !text.empty() && std::ranges::all_of(text, fits);
}

HttpHeader read_header(const yaml::Node& node, yaml::Report& report, std::string_view directory) {
  FieldReader fields(node, report, "a header");
  HttpHeader header;
  header.name = fields.text("name", Need::required).value_or("X");
  if (!is_token(header.name)) fields.problem("name", "bad-name", "`name` is no name for a header");
  header.value = read_secret_ref(fields, "value", directory);
  const auto text = fields.text("text");
  header.text = text.value_or("");
  if (has_control(header.text))
    fields.problem("text", "bad-value", "`text` has a line break or another control character");
  if (text.has_value() == static_cast<bool>(header.value))
    fields.problem("name", "missing-field",
                   "a header has either `text`, or its secret in `value_file`, `value_env` or `value_system_key`");
  fields.finish();
  return header;
}

HttpProxy read_proxy(const yaml::Node& node, yaml::Report& report, std::string_view directory) {
  FieldReader fields(node, report, "`proxy`");
  HttpProxy proxy;
  proxy.url = read_http_url(fields, "url");
  if (!proxy.url.segments.empty()) fields.problem("url", "bad-url", "the `url` of a proxy has no path");
  proxy.user = fields.text("user").value_or("");
  proxy.password = read_secret_ref(fields, "password", directory);
  if (proxy.user.empty() == static_cast<bool>(proxy.password))
    fields.problem("user", "missing-field", "`user` and its password need each other");
  fields.finish();
  return proxy;
}

}  // namespace

std::vector<vault::SecretRef> secrets_of(const HttpConnection& http) {
  std::vector<vault::SecretRef> secrets{http.client_key};
  if (const auto* basic = std::get_if<HttpBasic>(&http.auth)) secrets.push_back(basic->password);
  if (const auto* bearer = std::get_if<HttpBearer>(&http.auth)) secrets.push_back(bearer->token);
  if (const auto* oauth2 = std::get_if<HttpOauth2>(&http.auth)) secrets.push_back(oauth2->client_secret);
  if (const auto* ntlm = std::get_if<HttpNtlm>(&http.auth)) secrets.push_back(ntlm->password);
  if (http.proxy) secrets.push_back(http.proxy->password);
  for (const auto& header : http.headers) secrets.push_back(header.value);
  std::erase_if(secrets, [](const auto& secret) { return !secret; });
  return secrets;
}

HttpConnection read_http(FieldReader& fields, std::string_view directory) {
  HttpConnection http;
  http.url = read_http_url(fields, "url");
  if (const auto* auth = fields.mapping("auth")) read_auth(*auth, fields.report(), directory, http);
  if (const auto* headers = fields.sequence("headers")) {
    for (const auto& item : headers->items) http.headers.push_back(read_header(item, fields.report(), directory));
  }
  if (const auto file = fields.text("ca_file")) http.ca_file = resolve_path(*file, directory);
  auto shown = read_client_certificate(fields, directory);
  http.client_certificate_file = std::move(shown.file);
  http.client_key = std::move(shown.key);
  if (const auto* proxy = fields.mapping("proxy")) http.proxy = read_proxy(*proxy, fields.report(), directory);
  constexpr yaml::DurationRange kPatience{std::chrono::seconds(1), std::chrono::minutes(5)};
  http.connect_timeout = fields.duration("connect_timeout", kPatience).value_or(http.connect_timeout);
  http.concurrency = static_cast<std::uint32_t>(fields.integer("concurrency", {1, 64}).value_or(http.concurrency));
  http.idempotency_key = fields.boolean("idempotency_key").value_or(false);
  return http;
}

}  // namespace sallyport::policy
