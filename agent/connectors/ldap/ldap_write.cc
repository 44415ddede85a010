#include "agent/connectors/ldap/entry_row.h"
#include "agent/connectors/ldap/ldap_actions_parts.h"
#include "agent/connectors/translate.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

namespace sallyport::connectors::ldap {
namespace {

using policy::LdapVerb;

// What a change without an answer means: `counts` gives the class "in_doubt" and no other, so that nothing repeats the
// step by itself; `told_again` gives it besides the class of what happened, because the same step run again finds out;
// `harmless` gives only the latter, because doing it twice does nothing more.
enum class Doubt { counts, told_again, harmless };

StepResult<void> settled(Answer answer, Doubt doubt) {
  if (answer.answered || answer.result || doubt == Doubt::harmless) return answer.result;
  auto& error = answer.result.error();
  error.message = "it is not known whether the directory was changed, it did not answer: " + error.message;
  if (doubt == Doubt::counts) error.classes.clear();
  error.classes.insert(error.classes.begin(), "in_doubt");
  return answer.result;
}

// Until a run after one that nobody knows the end of has reached the directory, it knows no more than that one did.
StepResult<Pool::Lease> lease_for(const StepContext& context, const Target& target) {
  auto lease = target.pool->acquire(target.limits);
  if (!lease && context.repeated) lease.error().classes.insert(lease.error().classes.begin(), "in_doubt");
  return lease;
}

Output named(const policy::Dn& entry) { return Output{Value(ValueMap{{Value("dn"), Value(entry.text())}})}; }

// Name and values of each entry of a map argument; no values for null.
StepResult<std::vector<Modification>> changes_of(const Arguments& arguments, std::string_view name, Change change,
                                                 const Target& target) {
  std::vector<Modification> changes;
  const auto* map = arguments.find(name);
  if (map == nullptr) return changes;
  if (!map->is(Value::Kind::map)) return step_fail("invalid", fmt::format("the argument \"{}\" is no map", name));
  for (const auto& [key, value] : map->as_map()) {
    if (!key.is(Value::Kind::string)) return step_fail("invalid", "the name of an attribute is a text");
    const auto& attribute = key.as_string();
    SP_CHECK(check_attribute(attribute, target));
    Modification one{change, attribute, {}};
    if (!value.is_null()) {
      SP_TRY(one.values, values_of(attribute, value));
    }
    const bool may_be_empty = change == Change::replace || (change == Change::remove && value.is_null());
    if (one.values.empty() && !may_be_empty)
      return step_fail("invalid", fmt::format("`{}` has no value for the attribute {}", name, attribute));
    changes.push_back(std::move(one));
  }
  return changes;
}

// What every action that changes something is: its policy, its request, its doubt.
class LdapChange : public Action {
 public:
  LdapChange(Site site, SharedDirectories directories) : site_(site), directories_(std::move(directories)) {}

  StepResult<Output> run(const StepContext& context, const Value& values) override {
    const Arguments arguments(values);
    SP_TRY(const auto target, find_target(site_, *directories_, context, name()));
    return change(context, arguments, target);
  }

 private:
  virtual StepResult<Output> change(const StepContext& context, const Arguments& arguments,
                                    const Target& target) const = 0;

  Site site_;
  SharedDirectories directories_;
};

class LdapAdd final : public LdapChange {
 public:
  using LdapChange::LdapChange;
  std::string_view name() const override { return "ldap.add@1"; }
  bool keeps_ledger(std::string_view, const Value&) const override { return true; }

 private:
  StepResult<Output> change(const StepContext& context, const Arguments& arguments,
                            const Target& target) const override {
    SP_TRY(const auto entry, entry_of(arguments, LdapVerb::add, target));
    SP_TRY(auto attributes, changes_of(arguments, "attributes", Change::add, target));
    for (const auto& part : entry.levels().front()) {
      SP_CHECK(check_attribute(part.type, target));
      add_named_value(attributes, part);
    }
    SP_TRY(const auto lease, lease_for(context, target));
    auto added = settled(lease->add(entry.text(), attributes, target.limits), Doubt::told_again);
    const bool there = !added && added.error().error_class() == "ldap:68";
    if (there && context.repeated) added = compare(*lease, entry, attributes, target.limits);
    if (!added) return std::unexpected(std::move(added).error());
    return named(entry);
  }

  // The values an entry is named by are among its own.
  static void add_named_value(std::vector<Modification>& attributes, const policy::Dn::Part& part) {
    const auto same = [&](const Modification& one) { return folded_name(one.attribute) == folded_name(part.type); };
    const auto it = std::ranges::find_if(attributes, same);
    if (it == attributes.end()) {
      attributes.push_back({Change::add, part.type, {part.value}});
    } else if (std::ranges::find(it->values, part.value) == it->values.end()) {
      it->values.push_back(part.value);
    }
  }

  // An entry that has all of these values is what a run before this one has added. Passwords cannot be read back.
  static StepResult<void> compare(Session& session, const policy::Dn& entry,
                                  const std::vector<Modification>& attributes, const CallLimits& limits) {
    constexpr std::array<std::string_view, 2> kUnreadable{"unicodepwd", "userpassword"};
    SearchRequest request{.base = entry.text(), .scope = Scope::base, .filter = "(objectClass=*)"};
    std::map<std::string, std::vector<std::string>> wanted;
    for (const auto& attribute : attributes) {
      const auto name = folded_name(attribute.attribute);
      if (std::ranges::find(kUnreadable, name) != kUnreadable.end()) continue;
      wanted[name] = attribute.values;
      request.attributes.push_back(attribute.attribute);
    }
    const auto take = [&](const Entry& found) -> StepResult<void> {
      for (const auto& attribute : found.attributes) {
        const auto it = wanted.find(folded_name(attribute.name));
        if (it == wanted.end()) continue;
        std::erase_if(it->second, [&](const std::string& value) {
          return std::ranges::find(attribute.values, value) != attribute.values.end();
        });
      }
      return {};
    };
    SP_CHECK(session.search(request, take, limits));
    if (std::ranges::all_of(wanted, [](const auto& left) { return left.second.empty(); })) return {};
    return std::unexpected(
        StepError{{"ldap:68", "constraint"}, "an entry of this name exists already, with other values", {}});
  }
};

class LdapModify final : public LdapChange {
 public:
  using LdapChange::LdapChange;
  std::string_view name() const override { return "ldap.modify@1"; }
  // Values that are set are the same when they are set again; those that are added, taken away or counted are not.
  bool keeps_ledger(std::string_view, const Value& values) const override { return only_replaces(Arguments(values)); }

 private:
  static bool only_replaces(const Arguments& arguments) {
    return std::ranges::none_of(kOthers, [&](const auto& one) { return arguments.find(one.first) != nullptr; });
  }

  StepResult<Output> change(const StepContext& context, const Arguments& arguments,
                            const Target& target) const override {
    SP_TRY(const auto entry, entry_of(arguments, LdapVerb::modify, target));
    std::vector<Modification> changes;
    for (const auto& [name, kind] : kOthers) {
      SP_TRY(const auto some, changes_of(arguments, name, kind, target));
      changes.insert(changes.end(), some.begin(), some.end());
    }
    SP_TRY(const auto replaced, changes_of(arguments, "replace", Change::replace, target));
    changes.insert(changes.end(), replaced.begin(), replaced.end());
    if (changes.empty())
      return step_fail("invalid",
                       "there is nothing to change: give `replace`, `add`, `delete` or "
                       "`increment`");
    SP_TRY(const auto lease, lease_for(context, target));
    const auto doubt = only_replaces(arguments) ? Doubt::told_again : Doubt::counts;
    SP_CHECK(settled(lease->modify(entry.text(), changes, target.limits), doubt));
    return named(entry);
  }

  static constexpr std::array<std::pair<std::string_view, Change>, 3> kOthers{
      {{"delete", Change::remove}, {"add", Change::add}, {"increment", Change::increment}}};
};

class LdapDelete final : public LdapChange {
 public:
  using LdapChange::LdapChange;
  std::string_view name() const override { return "ldap.delete@1"; }

 private:
  StepResult<Output> change(const StepContext&, const Arguments& arguments, const Target& target) const override {
    SP_TRY(const auto entry, entry_of(arguments, LdapVerb::remove, target));
    SP_TRY(const auto lease, target.pool->acquire(target.limits));
    const auto deleted = settled(lease->remove(entry.text(), target.limits), Doubt::harmless);
    const bool gone = !deleted && deleted.error().error_class() == "ldap:32";
    if (!deleted && !gone) return std::unexpected(deleted.error());
    return Output{Value(ValueMap{{Value("deleted"), Value(!gone)}})};
  }
};

class LdapRename final : public LdapChange {
 public:
  using LdapChange::LdapChange;
  std::string_view name() const override { return "ldap.rename@1"; }

 private:
  StepResult<Output> change(const StepContext& context, const Arguments& arguments,
                            const Target& target) const override {
    SP_TRY(const auto entry, entry_of(arguments, LdapVerb::modify, target));
    if (entry == target.settings->base)
      return step_fail("invalid", "the base of the connection cannot be renamed through it");
    SP_TRY(const auto* given, arguments.any("new_name"));
    SP_TRY(auto level, level_of(*given, target));
    const auto name = policy::level_text(level);
    auto parent = entry.parent();
    if (arguments.find("new_parent") != nullptr) {
      SP_TRY(parent, dn_or_base(arguments, "new_parent", target));
    }
    SP_TRY(const auto renamed, to_step(policy::Dn::below(std::move(level), parent)));
    SP_CHECK(to_step(target.rule->check_entry(LdapVerb::modify, renamed)));
    SP_TRY(const auto lease, lease_for(context, target));
    const auto old_name = arguments.is_true("keep_old_values") ? Session::OldName::kept : Session::OldName::dropped;
    SP_CHECK(settled(lease->rename(entry.text(), name, parent.text(), old_name, target.limits), Doubt::counts));
    return named(renamed);
  }
};

}  // namespace

std::unique_ptr<Action> make_add(Site site, SharedDirectories directories) {
  return std::make_unique<LdapAdd>(site, std::move(directories));
}
std::unique_ptr<Action> make_modify(Site site, SharedDirectories directories) {
  return std::make_unique<LdapModify>(site, std::move(directories));
}
std::unique_ptr<Action> make_delete(Site site, SharedDirectories directories) {
  return std::make_unique<LdapDelete>(site, std::move(directories));
}
std::unique_ptr<Action> make_rename(Site site, SharedDirectories directories) {
  return std::make_unique<LdapRename>(site, std::move(directories));
}

}  // namespace sallyport::connectors::ldap
