#include "agent/connectors/ldap/session.h"

#include "agent/connectors/ldap/libldap.h"
#include "agent/connectors/ldap/result_code.h"
#include "agent/platform/socket_wait.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace sallyport::connectors::ldap {
namespace {

using Clock = std::chrono::steady_clock;

constexpr timeval kSlice{0, 50'000};  // how late a stop may be noticed
constexpr ber_int_t kUnlimited = 0;
constexpr std::string_view kReading = "reading from the directory";

struct FreeControl {
  void operator()(LDAPControl* control) const { libldap().ldap_control_free(control); }
};
struct FreeControls {
  void operator()(LDAPControl** controls) const { libldap().ldap_controls_free(controls); }
};
using ControlOwner = std::unique_ptr<LDAPControl, FreeControl>;

std::string_view text_of(const berval& value) { return {value.bv_val, value.bv_len}; }
berval borrowed(const std::string& text) { return {text.size(), const_cast<char*>(text.data())}; }

// A request's list of attributes or changes as libldap takes it. What it points to is here and in `changes`, which
// outlives this.
class Mods {
 public:
  explicit Mods(const std::vector<Modification>& changes) {
    values_.resize(changes.size());
    pointers_.resize(changes.size());
    mods_.resize(changes.size());
    for (std::size_t i = 0; i < changes.size(); ++i) {
      const auto& change = changes[i];
      for (const auto& value : change.values) values_[i].push_back(borrowed(value));
      for (auto& value : values_[i]) pointers_[i].push_back(&value);
      pointers_[i].push_back(nullptr);
      mods_[i].mod_op = static_cast<int>(change.change) | LDAP_MOD_BVALUES;
      mods_[i].mod_type = const_cast<char*>(change.attribute.c_str());
      mods_[i].mod_bvalues = change.values.empty() ? nullptr : pointers_[i].data();
      list_.push_back(&mods_[i]);
    }
    list_.push_back(nullptr);
  }
  Mods(const Mods&) = delete;
  Mods& operator=(const Mods&) = delete;
  LDAPMod** list() { return list_.data(); }

 private:
  std::vector<std::vector<berval>> values_;
  std::vector<std::vector<berval*>> pointers_;
  std::vector<LDAPMod> mods_;
  std::vector<LDAPMod*> list_;
};

std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const auto& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// For the server, which gives up a little later than this side.
timeval servers_limit(const CallLimits& limits) {
  const auto left = std::chrono::ceil<std::chrono::seconds>(limits.deadline - Clock::now()).count();
  return {std::clamp<std::int64_t>(left + 1, 1, 86'400), 0};
}

}  // namespace

void FreeLdap::operator()(::ldap* connection) const { libldap().ldap_unbind_ext(connection, nullptr, nullptr); }
void FreeMessage::operator()(::ldapmsg* message) const { libldap().ldap_msgfree(message); }

StepError Session::broken(std::string_view doing) {
  broken_ = true;
  return {{"connection"}, fmt::format("{}: the connection broke", doing), {}};
}

// An idle server says nothing: what can be read is its end.
bool Session::is_usable() const {
  using platform::SocketState;
  const auto state = platform::wait_for_socket(socket_.get(), platform::SocketNeed::reading, {});
  return !broken_ && state == SocketState::not_yet;
}

StepResult<MessageOwner> Session::next(int id, const CallLimits& limits) {
  while (!broken_) {
    auto slice = kSlice;
    LDAPMessage* message = nullptr;
    const int kind = libldap().ldap_result(connection_.get(), id, LDAP_MSG_ONE, &slice, &message);
    if (kind > 0) return MessageOwner(message);
    if (kind < 0) return std::unexpected(broken(kReading));
    broken_ = limits.stop.stop_requested() || Clock::now() >= limits.deadline;
    if (limits.stop.stop_requested()) return step_fail("cancelled", "stopped");
    if (broken_) return step_fail("timeout", "the directory did not answer in time");
  }
  return std::unexpected(broken(kReading));
}

StepResult<Session::Ended> Session::read_end(::ldapmsg* message) {
  Ended ended;
  LDAPControl** controls = nullptr;
  const int parsed =
      libldap().ldap_parse_result(connection_.get(), message, &ended.code, nullptr, nullptr, nullptr, &controls, 0);
  const std::unique_ptr<LDAPControl*, FreeControls> owner(controls);
  if (parsed != LDAP_SUCCESS) return std::unexpected(broken(kReading));
  auto* page = libldap().ldap_control_find(LDAP_CONTROL_PAGEDRESULTS, controls, nullptr);
  if (page == nullptr) return ended;
  berval cookie{};
  ber_int_t estimate = 0;
  if (libldap().ldap_parse_pageresponse_control(connection_.get(), page, &estimate, &cookie) != LDAP_SUCCESS)
    return std::unexpected(broken(kReading));
  ended.cookie = text_of(cookie);
  libldap().ber_memfree(cookie.bv_val);
  return ended;
}

StepResult<void> Session::give(::ldapmsg* message, const EntrySink& sink) {
  BerElement* raw = nullptr;
  berval dn{};
  const int bad = libldap().ldap_get_dn_ber(connection_.get(), message, &raw, &dn);
  const auto free_element = [](BerElement* element) { libldap().ber_free(element, 0); };
  const std::unique_ptr<BerElement, decltype(free_element)> element(raw, free_element);
  if (bad != LDAP_SUCCESS) return std::unexpected(broken(kReading));
  Entry entry{.dn = text_of(dn), .attributes = {}};
  const auto free_list = [](berval* list) { libldap().ber_memfree(list); };
  for (;;) {
    berval name{};
    berval* values = nullptr;
    if (libldap().ldap_get_attribute_ber(connection_.get(), message, raw, &name, &values) != LDAP_SUCCESS)
      return std::unexpected(broken(kReading));
    const std::unique_ptr<berval, decltype(free_list)> owner(values, free_list);
    if (name.bv_val == nullptr) return sink(entry);
    auto& attribute = entry.attributes.emplace_back();
    attribute.name = text_of(name);
    for (const auto* value = values; value != nullptr && value->bv_val != nullptr; ++value)
      attribute.values.push_back(text_of(*value));
  }
}

StepResult<Session::Ended> Session::take_page(int id, const EntrySink& sink, std::int64_t& references,
                                              const CallLimits& limits) {
  for (;;) {
    SP_TRY(const auto message, next(id, limits));
    switch (libldap().ldap_msgtype(message.get())) {
      case LDAP_RES_SEARCH_ENTRY: {
        auto given = give(message.get(), sink);
        broken_ = broken_ || !given;  // the rest of the result would come all the same
        if (!given) return std::unexpected(std::move(given).error());
        break;
      }
      case LDAP_RES_SEARCH_REFERENCE: ++references; break;
      case LDAP_RES_SEARCH_RESULT: return read_end(message.get());
      default: break;  // RFC 4511 section 4.13: to be ignored
    }
  }
}

StepResult<std::int64_t> Session::search(const SearchRequest& request, const EntrySink& sink,
                                         const CallLimits& limits) {
  auto attributes = pointers_to(request.attributes);
  std::int64_t references = 0;
  std::string cookie;
  do {
    ControlOwner page;
    if (request.page_size > 0) {
      LDAPControl* made = nullptr;
      auto from = borrowed(cookie);
      if (libldap().ldap_create_page_control(connection_.get(), request.page_size, &from, 0, &made) != LDAP_SUCCESS)
        return std::unexpected(broken("asking the directory"));
      page.reset(made);
    }
    LDAPControl* controls[] = {page.get(), nullptr};
    auto patience = servers_limit(limits);
    int id = 0;
    const int sent = libldap().ldap_search_ext(connection_.get(), request.base.c_str(), static_cast<int>(request.scope),
                                               request.filter.c_str(), attributes.data(), 0, controls, nullptr,
                                               &patience, kUnlimited, &id);
    if (sent == LDAP_FILTER_ERROR) return step_fail("invalid", "the client library does not take the filter");
    if (sent != LDAP_SUCCESS) return std::unexpected(broken("asking the directory"));
    SP_TRY(auto ended, take_page(id, sink, references, limits));
    if (ended.code != LDAP_SUCCESS) return std::unexpected(result_error(ended.code, "searching the directory"));
    cookie = std::move(ended.cookie);
  } while (!cookie.empty());
  return references;
}

Answer Session::answer_to(int sent, int id, std::string_view doing, const CallLimits& limits) {
  if (sent != LDAP_SUCCESS) return {std::unexpected(broken(doing)), false};
  auto message = next(id, limits);
  if (!message) return {std::unexpected(std::move(message).error()), false};
  const auto ended = read_end(message->get());
  if (!ended) return {std::unexpected(ended.error()), false};
  if (ended->code == LDAP_SUCCESS) return {{}, true};
  return {std::unexpected(result_error(ended->code, doing)), true};
}

Answer Session::add(const std::string& dn, const std::vector<Modification>& attributes, const CallLimits& limits) {
  Mods mods(attributes);
  int id = 0;
  const int sent = libldap().ldap_add_ext(connection_.get(), dn.c_str(), mods.list(), nullptr, nullptr, &id);
  return answer_to(sent, id, "adding an entry", limits);
}

Answer Session::modify(const std::string& dn, const std::vector<Modification>& changes, const CallLimits& limits) {
  Mods mods(changes);
  int id = 0;
  const int sent = libldap().ldap_modify_ext(connection_.get(), dn.c_str(), mods.list(), nullptr, nullptr, &id);
  return answer_to(sent, id, "changing an entry", limits);
}

Answer Session::remove(const std::string& dn, const CallLimits& limits) {
  int id = 0;
  const int sent = libldap().ldap_delete_ext(connection_.get(), dn.c_str(), nullptr, nullptr, &id);
  return answer_to(sent, id, "deleting an entry", limits);
}

Answer Session::rename(const std::string& dn, const std::string& new_name, const std::string& new_parent,
                       OldName old_name, const CallLimits& limits) {
  int id = 0;
  const int sent = libldap().ldap_rename(connection_.get(), dn.c_str(), new_name.c_str(), new_parent.c_str(),
                                         old_name == OldName::dropped ? 1 : 0, nullptr, nullptr, &id);
  return answer_to(sent, id, "renaming an entry", limits);
}

}  // namespace sallyport::connectors::ldap
