#include "agent/connectors/ldap/entry_row.h"
#include "agent/connectors/ldap/filter.h"
#include "agent/connectors/ldap/ldap_actions_parts.h"
#include "agent/connectors/spooled_rows.h"
#include "agent/connectors/translate.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace sallyport::connectors::ldap {
namespace {

constexpr std::size_t kMostAttributes = 200;
constexpr std::int64_t kPage = 500;
constexpr int kMostParts = 100'000;  // of one attribute

StepResult<std::vector<std::string>> texts(const Arguments& arguments, std::string_view name) {
  std::vector<std::string> found;
  const auto* list = arguments.find(name);
  if (list == nullptr) return found;
  const auto is_text = [](const Value& value) { return value.is(Value::Kind::string); };
  if (!list->is(Value::Kind::list) || !std::ranges::all_of(list->as_list(), is_text))
    return step_fail("invalid", fmt::format("the argument \"{}\" is no list of names", name));
  for (const auto& text : list->as_list()) found.push_back(text.as_string());
  return found;
}

StepResult<std::set<std::string, std::less<>>> marked(const Arguments& arguments, std::string_view name,
                                                      const Columns& columns) {
  SP_TRY(const auto names, texts(arguments, name));
  std::set<std::string, std::less<>> folded;
  for (const auto& one : names) {
    const auto same = [&](const std::string& column) { return folded_name(column) == folded_name(one); };
    if (std::ranges::none_of(columns.attributes, same))
      return step_fail("invalid", fmt::format("`{}` names an attribute that is not in `attributes`", name));
    folded.insert(folded_name(one));
  }
  return folded;
}

StepResult<Columns> columns_of(const Arguments& arguments, const Target& target) {
  Columns columns;
  SP_TRY(columns.attributes, texts(arguments, "attributes"));
  if (columns.attributes.empty() || columns.attributes.size() > kMostAttributes)
    return step_fail("invalid", fmt::format("`attributes` has 1 to {} names", kMostAttributes));
  for (const auto& name : columns.attributes) SP_CHECK(check_attribute(name, target));
  SP_TRY(columns.single, marked(arguments, "single", columns));
  SP_TRY(columns.binary, marked(arguments, "binary", columns));
  return columns;
}

StepResult<std::string> filter_of(const Arguments& arguments, const Target& target) {
  SP_TRY(const auto text, arguments.text("filter"));
  SP_TRY(const auto filter, Filter::parse(text));
  for (const auto& attribute : filter.attributes()) SP_CHECK(check_attribute(attribute, target));
  const auto* params = arguments.find("params");
  return filter.fill(params == nullptr ? Value(ValueMap{}) : *params);
}

Scope scope_of(std::string_view word) {
  if (word == "base") return Scope::base;
  return word == "one" ? Scope::one : Scope::subtree;
}

// One search: entries into rows, attributes that a server gives in parts put together.
class Search {
 public:
  Search(SearchRequest request, Columns columns, const Target& target)
      : request_(std::move(request)), columns_(std::move(columns)), target_(target) {}

  StepResult<std::int64_t> run(Session& session, SpooledRows& rows) {
    const auto take = [&](const Entry& entry) -> StepResult<void> {
      EntryRow row(columns_);
      for (const auto& attribute : entry.attributes) {
        if (!target_.rule->check_attribute(attribute.name)) continue;  // not asked for
        SP_CHECK(row.take(attribute));
        SP_CHECK(take_rest(session, entry, attribute, row));
      }
      SP_TRY(auto values, row.finish(entry.dn));
      return rows.row(std::move(values));
    };
    return session.search(request_, take, target_.limits);
  }

 private:
  // Active Directory gives 1500 values of an attribute at a time.
  StepResult<void> take_rest(Session& session, const Entry& entry, const Entry::Attribute& attribute, EntryRow& row) {
    auto from = next_of_range(attribute.name);
    const std::string name(attribute.name.substr(0, attribute.name.find(';')));
    SearchRequest request{.base = std::string(entry.dn), .scope = Scope::base, .filter = "(objectClass=*)"};
    for (int parts = 0; from; ++parts) {
      if (parts == kMostParts) return step_fail("too_large", "an attribute comes in more parts than any has");
      request.attributes = {fmt::format("{};range={}-*", name, *from)};
      std::optional<std::uint64_t> next;
      const auto take = [&](const Entry& again) -> StepResult<void> {
        for (const auto& part : again.attributes) {
          if (folded_name(part.name) != folded_name(name)) continue;
          SP_CHECK(row.take(part));
          next = next_of_range(part.name);
        }
        return {};
      };
      SP_CHECK(session.search(request, take, target_.limits));
      if (next && *next <= *from) return step_fail("format", "the server gives the parts of an attribute in no order");
      from = next;
    }
    return {};
  }

  SearchRequest request_;
  Columns columns_;
  const Target& target_;
};

class LdapSearch final : public Action {
 public:
  LdapSearch(Site site, SharedDirectories directories) : site_(site), directories_(std::move(directories)) {}
  std::string_view name() const override { return "ldap.search@1"; }

  StepResult<Output> run(const StepContext& context, const Value& values) override {
    const Arguments arguments(values);
    SP_TRY(const auto target, find_target(site_, *directories_, context, name()));
    SP_TRY(const auto base, dn_or_base(arguments, "base", target));
    SP_CHECK(to_step(target.rule->check_entry(policy::LdapVerb::read, base)));
    SP_TRY(auto columns, columns_of(arguments, target));
    SP_TRY(auto filter, filter_of(arguments, target));
    SP_TRY(auto rows, SpooledRows::open(context.bodies, row_limits(site_, context, arguments)));
    std::vector<std::string> names{"dn"};
    names.insert(names.end(), columns.attributes.begin(), columns.attributes.end());
    SP_CHECK(rows.begin(names));
    SearchRequest request{.base = base.text(),
                          .scope = scope_of(arguments.text_or("scope", "subtree")),
                          .filter = std::move(filter),
                          .attributes = columns.attributes,
                          .page_size = static_cast<int>(arguments.integer_or("page_size", kPage))};
    SP_TRY(const auto referrals, run_on(target, Search(std::move(request), std::move(columns), target), rows));
    SP_TRY(auto output, rows.finish(arguments));
    output.insert_or_assign(Value("referrals"), Value(referrals));
    return Output{Value(std::move(output))};
  }

 private:
  // A session of the pool that turns out to be dead is replaced by a new one, once, while nothing was read on it.
  static StepResult<std::int64_t> run_on(const Target& target, Search search, SpooledRows& rows) {
    for (;;) {
      SP_TRY(const auto lease, target.pool->acquire(target.limits));
      auto referrals = search.run(*lease, rows);
      const bool stale = !referrals && lease.is_reused() && rows.count() == 0 && !lease->is_usable() &&
                         referrals.error().error_class() == "connection";
      if (!stale) return referrals;
    }
  }

  Site site_;
  SharedDirectories directories_;
};

}  // namespace

std::unique_ptr<Action> make_search(Site site, SharedDirectories directories) {
  return std::make_unique<LdapSearch>(site, std::move(directories));
}

}  // namespace sallyport::connectors::ldap
