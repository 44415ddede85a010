#include "relay/store/extracts.h"

#include "relay/store/sqlite/adapters.h"
#include "relay/store/sqlite/rows.h"
#include "relay/store/sqlite/tables.h"
#include "shared/base/json.h"

#include <algorithm>

namespace sallyport::store::sqlite {
namespace {

// Where a page ended: "<table>/<the row's key as JSON, base64url>".
struct Place {
  std::string table;
  ValueList key;  // empty: before its first row
};

std::string cursor_of(const std::string& table, const ValueList& key) {
  return table + "/" + base64url(as_bytes(canonical_json(Value(key))));
}

Result<Place> read_place(const std::string& cursor) {
  if (cursor.empty()) return Place{};
  const auto slash = cursor.find('/');
  if (slash == std::string::npos) return foreign_cursor();
  const auto bytes = from_base64url(std::string_view(cursor).substr(slash + 1));
  const auto key = bytes ? parse_json(as_text(*bytes)) : fail(Errc::invalid, "");
  if (!key || !key->is(Value::Kind::list)) return foreign_cursor();
  return Place{cursor.substr(0, slash), key->as_list()};
}

struct Cell {
  Value value;
  std::size_t size = 0;
};

// Two columns each: its type, and it.
Cell read_cell(Row& row) {
  const auto type = row.text();
  if (type == "integer") return {Value(row.integer()), sizeof(std::int64_t)};
  if (type == "blob") {
    auto bytes = row.bytes();
    const auto size = bytes.size();
    return {Value(std::move(bytes)), size};
  }
  if (type == "text") {
    auto text = row.text();
    const auto size = text.size();
    return {Value(std::move(text)), size};
  }
  [[maybe_unused]] const auto skipped = row.maybe_integer();
  return {};
}

struct ReadRow {
  Extracted row;
  ValueList key;
  std::size_t size = 0;
};

ReadRow read_row(Row row, const ExtractTable& what, const Table& table) {
  ReadRow read{.row = {.table = what.table, .cells = {}}, .key = {}};
  for (std::size_t i = 0; i < table.key.size(); ++i) read.key.push_back(read_cell(row).value);
  for (const auto& column : what.columns) {
    auto cell = read_cell(row);
    read.size += column.size() + cell.size;
    read.row.cells.emplace(Value(column), std::move(cell.value));
  }
  return read;
}

std::string query_of(const ExtractTable& what, const Table& table, bool from_start) {
  std::string columns;
  for (const auto* list : {&table.key, &what.columns}) {
    for (const auto& column : *list)
      columns += fmt::format("{}typeof({}), {}", columns.empty() ? "" : ", ", column, column);
  }
  std::string marks;
  for (std::size_t i = 0; i < table.key.size(); ++i) marks += fmt::format("{}?{}", i == 0 ? "" : ", ", i + 3);
  const auto key = fmt::format("{}", fmt::join(table.key, ", "));
  const auto after = from_start ? std::string() : fmt::format(" and ({}) > ({})", key, marks);
  return fmt::format("select {} from {} where {} and ?2 is ?2{} order by {}", columns, what.table, what.where, after,
                     key);
}

Result<void> bind_key(Statement& statement, const ValueList& key, std::size_t expected) {
  if (key.size() != expected) return foreign_cursor();
  for (const auto& part : key) {
    if (part.is(Value::Kind::int64)) {
      statement.bind(part.as_int());
    } else if (part.is(Value::Kind::string)) {
      statement.bind(part.as_string());
    } else {
      return foreign_cursor();
    }
  }
  return {};
}

// One page under way.
struct Gathering {
  OrgId org;
  std::string person;
  std::size_t limit = 0;
  Page<Extracted> page = {};
  std::size_t size = 0;
};

// From a place in one table until it ends or the page is full; true: it is full.
Result<bool> gather(Database& db, Gathering& into, const ExtractTable& what, const Table& table,
                    const ValueList& after) {
  auto statement = db.prepare(query_of(what, table, after.empty()), into.org, into.person);
  if (!after.empty()) SP_CHECK(bind_key(statement, after, table.key.size()));
  ValueList last = after;
  for (;;) {
    SP_TRY(const bool found, statement.next());
    if (!found) return false;
    auto read = read_row(statement.row(), what, table);
    const bool fits = into.page.items.empty() || into.size + read.size <= kMostExtracted;
    if (into.page.items.size() == into.limit || !fits) {
      into.page.next = cursor_of(what.table, last);
      return true;
    }
    into.size += read.size;
    last = std::move(read.key);
    into.page.items.push_back(std::move(read.row));
  }
}

Result<Page<Extracted>> page_of_rows(Database& db, const OrgId& org, const std::optional<UserId>& person,
                                     const PageQuery& page) {
  SP_TRY(auto place, read_place(page.after));
  SP_TRY(const auto tables, tables_children_first(db));
  Gathering into{.org = org, .person = person.value_or(UserId()).value, .limit = page.bounded_limit()};
  bool reached = place.table.empty();
  for (const auto& what : person ? extract_of_person() : extract_of_organisation()) {
    const auto table = std::ranges::find(tables, what.table, &Table::name);
    if (table == tables.end()) continue;  // in another database
    const bool here = what.table == place.table;
    reached = reached || here;
    if (!reached) continue;
    SP_TRY(const bool full, gather(db, into, what, *table, here ? place.key : ValueList()));
    if (full) return std::move(into.page);
  }
  if (!reached) return foreign_cursor();
  return std::move(into.page);
}

class SqliteExtracts final : public Extracts {
 public:
  explicit SqliteExtracts(Engine& engine) : engine_(engine) {}

  awaitable<Result<Page<Extracted>>> rows(OrgId org, std::optional<UserId> person, PageQuery page) override {
    return engine_.read([org, person, page](Database& db) { return page_of_rows(db, org, person, page); });
  }

 private:
  Engine& engine_;
};

}  // namespace

std::unique_ptr<Extracts> make_extracts(Engine& engine) { return std::make_unique<SqliteExtracts>(engine); }

}  // namespace sallyport::store::sqlite
