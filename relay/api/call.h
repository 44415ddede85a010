#pragma once

#include "relay/api/caller.h"
#include "relay/audit/audit.h"
#include "relay/store/page.h"
#include "shared/base/secret.h"
#include "shared/base/value.h"
#include "shared/http/types.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace sallyport::api {

// The audit entry of one call: who called what. Handlers complete it (notes.h) and give it to their change.
struct AuditTicket {
  OrgId ledger;
  AuditRecord record;
  std::shared_ptr<bool> stored = std::make_shared<bool>(false);  // the entry went into the ledger with the change
};

// What a client that would speak WebSocket says of it (RFC 6455 §4.1), as sent; "" where it says nothing.
struct WebSocketOffer {
  std::string key;
  std::string version;
  std::string subprotocols;
};

// One authorised and validated call, as a handler gets it.
struct Call {
  Caller caller;
  ValueMap path;   // the pattern's parameters, checked: ids as text, integers
  ValueMap query;  // only declared ones, checked
  Value body;      // fits the route's schema; null without a body
  std::string request_id;
  std::string accept;                        // as sent
  std::optional<std::string> if_match;       // as sent
  std::optional<std::string> last_event_id;  // as sent
  std::string peer;                          // address of the other end of the connection
  AuditTicket ticket;                        // of a call that changes something
  WebSocketOffer websocket = {};
  std::shared_ptr<const Secret> secret = {};  // the member of the body that its schema calls so; `body` has none of it
  std::string request_key = {};               // of a keyed call: its claimed idempotency key, this token's own

  template <class T>
  T id(std::string_view name) const {
    return T(path.at(Value(name)).as_string());
  }
  std::int64_t number(std::string_view name) const { return path.at(Value(name)).as_int(); }
  std::optional<std::string> text(std::string_view member) const;  // of the body
  std::optional<std::int64_t> integer(std::string_view member) const;
  // Of members and parameters that the route requires.
  std::string required_text(std::string_view member) const { return body.find(member)->as_string(); }
  std::int64_t required_integer(std::string_view member) const { return body.find(member)->as_int(); }
  std::int64_t required_query_integer(std::string_view name) const { return query.at(Value(name)).as_int(); }
  std::optional<std::chrono::milliseconds> duration(std::string_view member) const;
  std::optional<std::string> query_text(std::string_view name) const;
  std::optional<std::int64_t> query_integer(std::string_view name) const;
  std::optional<WallTime> query_time(std::string_view name) const;
  // If-Match names a state, so the change may meet no other one ("*" is any).
  bool names_state() const { return if_match && *if_match != "*"; }
  store::PageQuery page() const;  // from `cursor` and `limit`
};

// What a handler gives back.
struct Answer {
  http::Reply reply;
};

}  // namespace sallyport::api
