#include "relay/cli/commands.h"
#include "relay/cli/requests.h"
#include "relay/cli/unreadable.h"
#include "shared/base/ids.h"
#include "shared/base/json.h"
#include "shared/base/percent.h"
#include "shared/crypto/digest.h"
#include "shared/crypto/random.h"
#include "shared/crypto/signed_document.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace sallyport::cli {
namespace {

constexpr std::size_t kMostReceipt = 1u << 20;
constexpr std::chrono::minutes kPatience{10};
constexpr std::chrono::minutes kPatienceWithLost{1};  // an order that was not answered
constexpr std::chrono::seconds kBetweenLooks{1};
const std::vector<Column> kErasureCard{{"ERASURE", "id"},
                                       {"OF", "subject"},
                                       {"ORGANISATION", "organisation"},
                                       {"PERSON", "person"},
                                       {"STATE", "state"},
                                       {"ASKED", "asked_at"},
                                       {"FINISHED", "finished_at"},
                                       {"ARCHIVED OBJECTS LEFT", "archived_objects_left"}};

// An export's lines as they go out.
class ExportLines {
 public:
  explicit ExportLines(const Context& context) : context_(context) {}

  void print(const Value& value) {
    const auto line = to_json(value) + "\n";
    digest_.update(as_bytes(line));
    ++lines_;
    context_.print(line);
  }
  void count(const Value& unreadable) { unreadable_.add(unreadable); }
  // What tells an export that is whole from one that was cut short.
  void print_end() {
    const ValueMap end{{Value("lines"), Value(lines_)},
                       {Value("sha256"), Value(hex(digest_.finish()))},
                       {Value("unreadable"), unreadable_.counts()}};
    context_.print(to_json(Value(ValueMap{{Value("end"), Value(end)}})) + "\n");
  }
  Result<void> expect_whole() const { return unreadable_.expect_whole("the export"); }

 private:
  const Context& context_;
  crypto::Sha256 digest_;
  std::uint64_t lines_ = 0;
  Unreadable unreadable_;
};

void tell_left_out(const Context& context, const Value& manifest) {
  const auto* payloads = manifest.find("payloads");
  if (payloads == nullptr || payloads->as_bool()) return;
  context.complain("without payloads and log lines: the token has no scope payloads:read (see left_out)");
}

enum class Payloads { expected, none };

// Every page of an export.
Result<void> export_pages(const Context& context, Client& client, const std::string& path, Payloads payloads) {
  ExportLines lines(context);
  std::string cursor;
  do {
    const auto order = cursor.empty() ? ValueMap() : ValueMap{{Value("cursor"), Value(cursor)}};
    SP_TRY(const auto page, client.post(path, Value(order)));
    if (cursor.empty()) lines.print(Value(ValueMap{{Value("manifest"), *page.find("manifest")}}));
    if (cursor.empty() && payloads == Payloads::expected) tell_left_out(context, *page.find("manifest"));
    for (const auto& item : page.find("items")->as_list()) lines.print(item);
    lines.count(*page.find("unreadable"));
    cursor = text_of(page, "next");
  } while (!cursor.empty() && context.can_print());
  lines.print_end();
  return lines.expect_whole();
}

Result<std::string> user_id(Client& client, std::string_view email_or_id) {
  return id_of(client, "user", "usr_", "/v1/users", email_or_id, "email");
}

int export_organisation(Context& context, const Arguments&) {
  return with_client(context, [&](Client& client) {
    return export_pages(context, client, "/v1/organisation/export", Payloads::expected);
  });
}

int export_person(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) -> Result<void> {
    SP_TRY(const auto id, user_id(client, arguments.positional(0)));
    return about(export_pages(context, client, fill("/v1/users/{}/export", id), Payloads::none), "user", id);
  });
}

// A receipt is what a program wants of it, and what is kept.
void show_erasure(const Context& context, const Value& erasure) {
  const auto* receipt = erasure.find("receipt");
  const bool has_receipt = receipt != nullptr && receipt->is(Value::Kind::map);
  context.show(erasure, card_of(erasure, kErasureCard) + (has_receipt ? "\n" + to_pretty_json(*receipt) + "\n" : ""));
}

// Until it has ended or `most` is over: what there is then. A relay that is away meanwhile is asked again.
Result<Value> await_end(const Context& context, Client& client, const std::string& id, std::chrono::milliseconds most) {
  const auto deadline = context.clock->steady() + most;
  Patience patience({.give_up = most}, context.clock->steady());
  for (bool told_lost = false;;) {
    auto erasure = client.get(fill("/v1/erasures/{}", id));
    const auto now = context.clock->steady();
    const bool settled = erasure ? text_of(*erasure, "state") == "erased" : !may_pass(erasure.error().code);
    if (settled || now >= deadline) return erasure;
    if (erasure) {
      patience.heard(now);
      told_lost = false;
    } else if (!std::exchange(told_lost, true)) {
      context.complain(erasure.error().message + "; trying again");
    }
    const std::chrono::milliseconds wait =
        erasure ? kBetweenLooks : patience.next_wait(now, drawn_luck()).value_or(kBetweenLooks);
    context.pause(
        std::min<std::chrono::milliseconds>(wait, std::chrono::ceil<std::chrono::milliseconds>(deadline - now)));
  }
}

// Whether the relay may have begun, although its answer to the order says nothing of it.
bool may_have_begun(Errc code) { return may_pass(code) || code == Errc::internal; }

struct Subject {
  std::string path;  // of the order
  std::string_view noun, word;
};

// The erasure's id is made here and told before it is ordered: an owner who is not answered has no other way to ask,
// for their token goes first.
Result<void> erase(const Context& context, Client& client, const Subject& subject, ValueMap order) {
  const auto id = make_ulid("era_", unix_ms(context.clock->wall()), crypto::new_entropy());
  const auto look = fmt::format("\"sallyport erase show {}\"", id);
  context.complain(fmt::format("ordering erasure {}: {} says how far it is", id, look));
  order.emplace(Value("erasure"), Value(id));
  const auto ordered = about(client.post(subject.path, Value(std::move(order))), subject.noun, subject.word);
  if (!ordered && !may_have_begun(ordered.error().code)) return std::unexpected(ordered.error());
  const auto erasure = await_end(context, client, id, ordered ? kPatience : kPatienceWithLost);
  if (!erasure && !ordered)
    return fail(ordered.error().code,
                fmt::format("{}; if it was ordered all the same, {} finds it", ordered.error().message, look));
  if (!erasure) return fail(erasure.error().code, fmt::format("{}; it goes on, see {}", erasure.error().message, look));
  show_erasure(context, *erasure);
  if (text_of(*erasure, "state") == "erased") return {};
  return fail(Errc::conflict, fmt::format("it goes on; see {}", look));
}

int erase_person(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) -> Result<void> {
    SP_TRY(const auto id, user_id(client, arguments.positional(0)));
    const ValueMap order{{Value("confirm"), Value(arguments.get("confirm"))}};
    return erase(context, client, {fill("/v1/users/{}/erase", id), "user", id}, order);
  });
}

int erase_organisation(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) -> Result<void> {
    const ValueMap order{{Value("confirm"), Value(arguments.get("confirm"))},
                         {Value("name"), Value(arguments.positional(0))}};
    const auto path = arguments.has("id") ? fill("/v1/organisations/{}/erase", arguments.get("id"))
                                          : std::string("/v1/organisation/erase");
    return erase(context, client, {path, "organisation", arguments.get("id")}, order);
  });
}

int show_one(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) -> Result<void> {
    SP_TRY(const auto id, checked_id("erasure", "era_", arguments.positional(0)));
    SP_TRY(const auto erasure, about(client.get(fill("/v1/erasures/{}", id)), "erasure", id));
    show_erasure(context, erasure);
    return {};
  });
}

int show_key(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) -> Result<void> {
    const auto which = arguments.has("id") ? "?id=" + percent_encode(arguments.get("id")) : std::string();
    SP_TRY(const auto key, about(client.get("/v1/receipt-key" + which), "key of receipts", arguments.get("id")));
    context.show(key, text_of(key, "public_key"));
    return {};
  });
}

// As `erase show` and `erase person` print it with -o json, or the receipt alone.
Result<Value> receipt_in(const std::string& text) {
  SP_TRY(auto value, parse_json(text));
  const auto* receipt = value.find("receipt");
  return receipt != nullptr && receipt->find("signature") != nullptr ? *receipt : value;
}

Result<void> verify_receipt(const Context& context, const Arguments& arguments) {
  const std::string file(arguments.positional(0)), key_file = arguments.get("key");
  SP_TRY(const auto text, read_input(context, file, kMostReceipt));
  SP_TRY(const auto pem, read_file(key_file, kMostReceipt));
  const auto key = crypto::public_key_from_pem(pem);
  if (!key) return in_context(key_file, key.error());
  const auto receipt = receipt_in(text);
  if (!receipt) return in_context(file, receipt.error());
  const auto document = crypto::check_document(*key, crypto::kReceiptKind, *receipt);
  if (!document) return in_context(file, document.error());
  context.show(*document,
               to_pretty_json(*document) + "\n" + fmt::format("genuine: signed with {}\n", crypto::key_id(*key)));
  return {};
}

int verify(Context& context, const Arguments& arguments) {
  const auto done = verify_receipt(context, arguments);
  return done ? kDone : context.fail_with(done.error());
}

}  // namespace

std::vector<Command> erase_commands() {
  const Option confirm{"confirm", "erase", "the word that confirms it: there is no way back", Need::required};
  return {
      {"erase",
       "person",
       {"USER"},
       {confirm},
       "erase all that tells of a person, by e-mail address or id; prints the receipt (owner)",
       erase_person},
      {"erase",
       "organisation",
       {"NAME"},
       {confirm, {"id", "ORGANISATION", "another organisation than the login's (platform admin)"}},
       "erase the organisation of the login, keys first; prints the receipt (owner)",
       erase_organisation},
      {"erase", "show", {"ERASURE"}, {}, "how far an erasure is, and its receipt", show_one},
      {"erase",
       "key",
       {},
       {{"id", "KEY", "an earlier one, that a receipt names as its key"}},
       "the public key of receipts, as PEM",
       show_key},
      {"erase",
       "verify",
       {"FILE"},
       {{"key", "FILE", "the public key that \"erase key\" gave", Need::required}},
       "check a receipt, offline (- reads standard input)",
       verify},
      {"export",
       "organisation",
       {},
       {},
       "all that is kept of the organisation, a line of JSON each (owner)",
       export_organisation},
      {"export",
       "person",
       {"USER"},
       {},
       "all that is known of a person, by e-mail address or id, a line of JSON each (owner)",
       export_person},
  };
}

}  // namespace sallyport::cli
