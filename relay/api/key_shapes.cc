#include "relay/api/key_shapes.h"

#include "relay/api/replies.h"

namespace sallyport::api {
namespace {

Value shape(const store::CountedLane& counted) {
  const auto& lane = counted.state;
  return Object()
      .put("class", Value(lane.lane.kind))
      .put("retention_hours", lane.lane.hours)
      .put("keys", counted.keys)
      .put("oldest_hour", lane.oldest ? std::optional(store::start_of(*lane.oldest)) : std::nullopt)
      .put("shredded_before", store::start_of(lane.position))
      .done();
}

Value shape(const std::optional<keys::OwnKeyFacts>& own, domain::Role reader) {
  if (!own) return {};
  const bool is_owner = reader == domain::Role::owner;
  return Object()
      .put("kind", Value(own->kind))
      .put("place", is_owner ? Value(own->place) : Value())
      .put("attached_at", own->attached_at)
      .put("state", Value(own->refused_since ? "refused" : "in_use"))
      .put("refused_since", own->refused_since)
      .put("reason", is_owner ? Value(own->reason) : Value())
      .done();
}

}  // namespace

Value versions_shape(const std::vector<keys::VersionFacts>& versions) {
  ValueList list;
  for (const auto& one : versions) {
    list.push_back(Object().put("version", one.version).put("created_at", one.created_at).done());
  }
  return Value(std::move(list));
}

Value state_shape(const std::optional<std::string>& unavailable) {
  return Value(unavailable ? "unavailable" : "in_use");
}

boost::asio::awaitable<Result<Answer>> show_keys(Services& services, Caller caller) {
  SP_CO_TRY(const auto keys, co_await services.keys.of_organisation(caller.org));
  ValueList lanes;
  for (const auto& lane : keys.lanes) lanes.push_back(shape(lane));
  co_return ok(Object()
                   .put("state", state_shape(keys.unavailable))
                   .put("reason", keys.unavailable)
                   .put("versions", versions_shape(keys.versions))
                   .put("lanes", Value(std::move(lanes)))
                   .put("records_to_reseal", keys.waiting)
                   .put("own", shape(keys.own, caller.role))
                   .done());
}

}  // namespace sallyport::api
