#include "relay/api/fields.h"
#include "relay/api/notes.h"
#include "relay/api/opened_row.h"
#include "relay/api/replies.h"
#include "relay/api/resources.h"
#include "relay/api/services.h"
#include "relay/domain/fields.h"

#include <algorithm>

namespace sallyport::api {

namespace asio = boost::asio;

namespace {

constexpr std::int64_t kRowsOnPage = 200;

using Access = PayloadReader::Access;

bool is_given(const store::ExtractTable& table, const domain::Field& field, Access access) {
  if (access == Access::denied && RowOpener::is_payload(field.record)) return false;
  return std::ranges::find(table.columns, field.column) != table.columns.end();
}

// Columns of the tables of an export that are in none: keys, hashes, what is of others; and what this caller may not
// see.
ValueList left_out_of(const std::vector<store::ExtractTable>& tables, Access access) {
  ValueList names;
  for (const auto& field : domain::fields()) {
    const auto table = std::ranges::find(tables, field.table, &store::ExtractTable::table);
    if (table == tables.end() || is_given(*table, field, access)) continue;
    names.emplace_back(std::string(field.table) + "." + std::string(field.column));
  }
  return names;
}

// What the export is of, and what it holds.
Value manifest_of(const std::string& of, WallTime at, const std::vector<store::ExtractTable>& tables, Access access) {
  ValueMap columns;
  for (const auto& one : tables) {
    ValueList names;
    for (const auto& column : one.columns) {
      const auto* field = domain::find_field(one.table, column);
      if (field == nullptr || is_given(one, *field, access)) names.emplace_back(column);
    }
    columns.emplace(Value(one.table), Value(std::move(names)));
  }
  return Object()
      .put("of", Value(of))
      .put("at", at)
      .put("payloads", Value(access == Access::granted))
      .put("tables", Value(std::move(columns)))
      .put("left_out", Value(left_out_of(tables, access)))
      .done();
}

Value shape(const PayloadReader::Unreadable& unreadable) {
  return Object()
      .put("expired", Value(unreadable.expired))
      .put("key_unavailable", Value(unreadable.key_unavailable))
      .put("given_up", Value(unreadable.given_up))
      .put("damaged", Value(unreadable.damaged))
      .done();
}

asio::awaitable<Result<Answer>> export_rows(Services& services, Call call, std::optional<UserId> person) {
  const auto& org = call.caller.org;
  const auto cursor = call.text("cursor").value_or("");
  const store::PageQuery query{cursor, static_cast<std::size_t>(call.integer("limit").value_or(kRowsOnPage))};
  SP_CO_TRY(auto page, co_await services.stores.extracts.rows(org, person, query));
  if (person && cursor.empty() && page.items.empty()) co_return fail(Errc::not_found, "no such user");
  if (!person) call.ticket.record.target = "organisation:" + org.value;
  SP_CO_CHECK(co_await record_apart(services, call));
  const auto access = payload_access(call.caller);
  RowOpener opener(services, org, access);
  ValueList items;
  for (auto& row : page.items) {
    Value table(row.table);
    auto cells = co_await opener.open(std::move(row));
    items.emplace_back(ValueMap{{Value("table"), std::move(table)}, {Value("row"), Value(std::move(cells))}});
  }
  const auto of = person ? "user:" + person->value : "organisation:" + org.value;
  auto answer = page_value(std::move(items), page.next).as_map();
  answer.emplace(Value("manifest"),
                 !cursor.empty()
                     ? Value()
                     : manifest_of(of, services.clock.wall(),
                                   person ? store::extract_of_person() : store::extract_of_organisation(), access));
  answer.emplace(Value("unreadable"), shape(opener.unreadable()));
  co_return ok(Value(std::move(answer)));
}

asio::awaitable<Result<Answer>> export_organisation(Services& services, Call call) {
  co_return co_await export_rows(services, std::move(call), std::nullopt);
}

asio::awaitable<Result<Answer>> export_user(Services& services, Call call) {
  auto person = call.id<UserId>("user");
  co_return co_await export_rows(services, std::move(call), std::move(person));
}

constexpr std::array kFields{Field{.name = "cursor", .most = 1024},
                             Field{.name = "limit", .type = FieldType::integer, .least = 1, .most = kRowsOnPage}};
constexpr Schema kExport{"Export", kFields};

constexpr std::array kRoutes{
    Route{.id = "export_organisation",
          .method = http::Method::post,
          .pattern = "/v1/organisation/export",
          .least_role = domain::Role::owner,
          .scope = domain::Scope::organisation_write,
          .body = Body::json,
          .request = &kExport,
          .response = "ExportPage",
          .repeat = Repeat::idempotent,
          .audited = "organisation.export",
          .handler = export_organisation},
    Route{.id = "export_user",
          .method = http::Method::post,
          .pattern = "/v1/users/{user}/export",
          .least_role = domain::Role::owner,
          .scope = domain::Scope::users_write,
          .path = kUserPath,
          .body = Body::json,
          .request = &kExport,
          .response = "ExportPage",
          .repeat = Repeat::idempotent,
          .audited = "user.export",
          .handler = export_user},
};

}  // namespace

std::span<const Route> export_routes() { return kRoutes; }

}  // namespace sallyport::api
