#include "agent/connectors/http/http_actions_parts.h"
#include "agent/connectors/http/json_pointer.h"
#include "agent/connectors/http/page_rows.h"
#include "agent/connectors/rows.h"
#include "agent/connectors/translate.h"
#include "shared/base/json.h"

#include <fmt/format.h>

#include <optional>

namespace sallyport::connectors::http {
namespace {

constexpr std::size_t kMostPage = 4u << 20;
constexpr std::int64_t kDefaultPages = 1'000;

// How a page leads to the next.
struct Paging {
  enum class Way { link, cursor, number } way = Way::link;
  std::string cursor;     // where in a page
  std::string parameter;  // of the query, that takes a cursor or a number
  std::int64_t number = 1;
};

StepResult<Paging> read_paging(const Arguments& arguments) {
  Paging paging;
  const auto way = arguments.text_or("next", "link");
  paging.parameter = arguments.text_or("parameter", "");
  paging.cursor = arguments.text_or("cursor", "");
  paging.number = arguments.integer_or("first", 1);
  if (way == "cursor") paging.way = Paging::Way::cursor;
  if (way == "page") paging.way = Paging::Way::number;
  if (paging.way == Paging::Way::cursor && (paging.cursor.empty() || !is_json_pointer(paging.cursor)))
    return step_fail("invalid", "`next: cursor` needs \"cursor\", a JSON pointer such as /meta/next");
  if (paging.way == Paging::Way::number && paging.parameter.empty())
    return step_fail("invalid", "`next: page` needs \"parameter\", the query's parameter for the number");
  return paging;
}

StepResult<std::vector<std::string>> read_columns(const Arguments& arguments) {
  std::vector<std::string> columns;
  const auto* given = arguments.find("columns");
  if (given == nullptr) return columns;
  for (const auto& name : given->is(Value::Kind::list) ? given->as_list() : ValueList{}) {
    if (!name.is(Value::Kind::string)) return step_fail("invalid", "\"columns\" is not a list of names");
    columns.push_back(name.as_string());
  }
  return columns;
}

// The pages of one list, one after the other.
class Walk {
 public:
  Walk(const Arguments& arguments, const policy::HttpUrl& base, Paging paging)
      : arguments_(arguments), base_(base), paging_(std::move(paging)) {}

  StepResult<Target> first() { return paging_.way == Paging::Way::number ? with(Value(paging_.number)) : with({}); }

  // Where the page after that one is; nullopt when it was the last.
  StepResult<std::optional<Target>> next(const Target& here, const AnswerHead& head, const Value& page, bool empty) {
    SP_TRY(auto target, find_next(here, head, page, empty));
    if (target && *target == here) return step_fail("format", "a page of the server leads to itself");
    return target;
  }

 private:
  StepResult<std::optional<Target>> find_next(const Target& here, const AnswerHead& head, const Value& page,
                                              bool empty) {
    if (paging_.way == Paging::Way::link) {
      for (const auto header : head.all("link")) {
        if (const auto reference = next_link(header); !reference.empty()) return follow(here, reference);
      }
      return std::nullopt;
    }
    if (paging_.way == Paging::Way::number) {
      if (empty) return std::nullopt;
      return with(Value(++paging_.number));
    }
    const auto* cursor = find_by_pointer(page, paging_.cursor);
    const bool last = cursor == nullptr || cursor->is_null() || *cursor == Value(false) || *cursor == Value("");
    if (last) return std::nullopt;
    if (!paging_.parameter.empty()) return with(*cursor);
    if (!cursor->is(Value::Kind::string)) return step_fail("format", "the cursor in a page is no text");
    return follow(here, cursor->as_string());
  }

  StepResult<std::optional<Target>> follow(const Target& here, const std::string& reference) const {
    auto target = follow_reference(base_, here, reference);
    if (!target) return step_in_context("the next page", std::move(target).error());
    return *std::move(target);
  }

  StepResult<Target> with(const Value& place) const {
    const auto* given = arguments_.find("query");
    ValueMap query = given == nullptr ? ValueMap() : given->as_map();
    if (!place.is_null()) query.insert_or_assign(Value(paging_.parameter), place);
    const Value all(std::move(query));
    return make_target(base_, arguments_.text_or("path", ""), arguments_.find("params"), &all);
  }

  const Arguments& arguments_;
  const policy::HttpUrl& base_;
  Paging paging_;
};

class HttpPages final : public Action {
 public:
  HttpPages(Site site, SharedClients clients) : site_(site), clients_(std::move(clients)) {}
  std::string_view name() const override { return "http.pages@1"; }

  StepResult<Output> run(const StepContext& context, const Value& values) override {
    const Arguments arguments(values);
    SP_TRY(auto* client, find_client(site_, *clients_, context, name()));
    SP_TRY(auto paging, read_paging(arguments));
    SP_TRY(auto columns, read_columns(arguments));
    SP_TRY(const auto spool, context.bodies.new_spool("application/json"));
    PageRows rows(*spool, std::move(columns), site_.policy.limits(context.connection));
    SP_TRY(const auto pages, walk(context, arguments, *client, std::move(paging), rows));
    SP_TRY(auto handle, rows.commit());
    auto output = rows_output(std::move(handle), arguments.integer_or("batch", kDefaultBatch));
    output.insert_or_assign(Value("count"), Value(rows.count()));
    output.insert_or_assign(Value("pages"), Value(pages));
    output.insert_or_assign(Value("columns"), Value(ValueList(rows.columns().begin(), rows.columns().end())));
    return Output{Value(std::move(output))};
  }

 private:
  StepResult<std::int64_t> walk(const StepContext& context, const Arguments& arguments, Client& client, Paging paging,
                                PageRows& rows) const {
    const auto most = arguments.integer_or("max_pages", kDefaultPages);
    Walk walk(arguments, client.settings().url, std::move(paging));
    SP_TRY(auto target, walk.first());
    for (std::int64_t pages = 1;; ++pages) {
      if (pages > most)
        return step_fail("too_large",
                         fmt::format("the list has more than {} pages, the limit of the step (max_pages)", most));
      SP_CHECK(check_going_on(site_, context));
      SP_TRY(auto next, read_page(context, arguments, client, walk, target, rows));
      if (!next) return pages;
      target = *std::move(next);
    }
  }

  StepResult<std::optional<Target>> read_page(const StepContext& context, const Arguments& arguments, Client& client,
                                              Walk& walk, const Target& target, PageRows& rows) const {
    const Expected expected;
    ShortAnswer answer(expected, kMostPage);
    Call call{"GET", target, {}};
    SP_TRY(call.headers, step_headers(arguments, client.settings()));
    const auto exchange = client.perform(std::move(call), answer, {site_.clock, context.deadline, context.stop});
    const auto& head = exchange.head;
    if (head.status() != 0 && !expected.holds(head.status())) return std::unexpected(status_error(head, answer.told()));
    if (exchange.error) return std::unexpected(*exchange.error);
    const auto page = parse_json(answer.text(), {.max_bytes = kMostPage});
    if (!page) return step_fail("format", "a page of the server is not JSON");
    const auto* items = find_by_pointer(*page, arguments.text_or("items", ""));
    if (items == nullptr || !items->is(Value::Kind::list))
      return step_fail("format", "a page of the server has no list where \"items\" points to");
    SP_CHECK(rows.add(items->as_list()));
    return walk.next(target, head, *page, items->as_list().empty());
  }

  Site site_;
  SharedClients clients_;
};

}  // namespace

std::unique_ptr<Action> make_pages_action(Site site, SharedClients clients) {
  return std::make_unique<HttpPages>(site, std::move(clients));
}

}  // namespace sallyport::connectors::http
