#include "relay/archive/archiver.h"

#include "relay/api/fields.h"
#include "relay/api/notes.h"
#include "relay/api/replies.h"
#include "relay/api/resources.h"
#include "relay/api/services.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace sallyport::api {

namespace asio = boost::asio;

namespace {

Value place_shape(const std::string& place) { return place.empty() ? Value() : Value(place); }

asio::awaitable<Result<Value>> archive_shape(Services& services, OrgId org) {
  SP_CO_TRY(const auto place, co_await services.stores.archive.place(org));
  SP_CO_TRY(const auto waiting, co_await services.stores.archive.count_waiting(org));
  ValueList places;
  for (const auto& name : services.archive.places()) places.emplace_back(name);
  co_return Object()
      .put("place", place_shape(place))
      .put("places", Value(std::move(places)))
      .put("waiting", waiting)
      .put("trouble", Value(services.archive.trouble_at(place)))
      .done();
}

WallTime end_of(const store::ArchivedRecord& record) { return store::start_of(record.hour + 1 + record.hours); }

Value shape(const store::ArchivedRecord& record) {
  return Object()
      .put("job", record.job)
      .put("place", Value(record.place))
      .put("object", Value(record.object))
      .put("size", record.size)
      .put("archived_at", record.archived_at)
      .put("expires_at", end_of(record))
      .done();
}

asio::awaitable<Result<Answer>> get_archive(Services& services, Call call) {
  SP_CO_TRY(const auto shown, co_await archive_shape(services, call.caller.org));
  co_return ok(shown);
}

asio::awaitable<Result<Answer>> set_archive(Services& services, Call call) {
  call.ticket.record.target = "organisation:" + call.caller.org.value;
  const auto* place = call.body.find("place");
  const std::string wanted = place == nullptr || place->is_null() ? "" : place->as_string();
  if (!wanted.empty() && !services.archive.knows(wanted)) {
    const auto places = services.archive.places();
    co_return unfit("/place", fmt::format("must be an archive of this relay, or null for none; it has {}",
                                          places.empty() ? "none" : fmt::format("{}", fmt::join(places, ", "))));
  }
  auto note = note_of<store::ChangedPlace>(services, call, {}, [](const store::ChangedPlace& changed) {
    return Said{"", {{"was", place_shape(changed.before)}, {"is", place_shape(changed.now)}}};
  });
  SP_CO_CHECK(
      co_await services.stores.archive.set_place(call.caller.org, wanted, services.clock.wall(), std::move(note)));
  SP_CO_TRY(const auto shown, co_await archive_shape(services, call.caller.org));
  co_return ok(shown);
}

asio::awaitable<Result<Answer>> list_archived_jobs(Services& services, Call call) {
  SP_CO_TRY(const auto page, co_await services.stores.archive.list(call.caller.org, call.page()));
  co_return ok(page_value(page, [](const auto& one) { return shape(one); }));
}

// Which record it is, and what became of it: no path of the operator's.
Error about_record(const store::ArchivedRecord& kept, const Error& why) {
  const auto which = fmt::format("the record of {} in the archive \"{}\"", kept.job.value, kept.place);
  if (why.code == Errc::not_found)
    return {Errc::conflict,
            fmt::format("{} is gone: there is no object {}, or its key was given up", which, kept.object)};
  if (why.code == Errc::invalid)
    return {Errc::conflict, fmt::format("{} is damaged: the object {} was changed, or cut short", which, kept.object)};
  return {why.code, fmt::format("{} cannot be read: {}", which, why.message)};
}

asio::awaitable<Result<Answer>> get_archived_job(Services& services, Call call) {
  if (!call.caller.scopes.contains(domain::Scope::payloads_read))
    co_return fail(Errc::forbidden, "a record holds payload: the token needs the scope payloads:read, too");
  const auto job = call.id<JobId>("job");
  SP_CO_TRY(const auto kept, co_await services.stores.archive.find(call.caller.org, job));
  const auto record = co_await services.archive.read(call.caller.org, job);
  if (!record && end_of(kept) <= services.clock.wall()) co_return std::unexpected(Error{Errc::not_found, ""});
  if (!record) co_return std::unexpected(about_record(kept, record.error()));
  co_return ok(Object().put("job", job).put("record", Value(record->reveal())).done());
}

constexpr std::array<std::string_view, 1> kArchiveCursor{"job_"};
constexpr std::array kListQuery = page_query(kArchiveCursor);
constexpr std::array kOrderFields{Field{.name = "place", .presence = Presence::clearable, .least = 1, .most = 64}};
constexpr Schema kOrder{"ArchiveOrder", kOrderFields};

constexpr std::array kRoutes{
    Route{.id = "get_archive",
          .pattern = "/v1/archive",
          .least_role = domain::Role::viewer,
          .scope = domain::Scope::organisation_read,
          .response = "Archive",
          .handler = get_archive},
    Route{.id = "set_archive",
          .method = http::Method::put,
          .pattern = "/v1/archive",
          .least_role = domain::Role::owner,
          .scope = domain::Scope::organisation_write,
          .body = Body::json,
          .request = &kOrder,
          .response = "Archive",
          .repeat = Repeat::idempotent,
          .audited = "archive.set",
          .handler = set_archive},
    Route{.id = "list_archived_jobs",
          .pattern = "/v1/archive/jobs",
          .least_role = domain::Role::owner,
          .scope = domain::Scope::audit_read,
          .query = kListQuery,
          .response = "ArchivedJobPage",
          .handler = list_archived_jobs},
    Route{.id = "get_archived_job",
          .pattern = "/v1/archive/jobs/{job}",
          .least_role = domain::Role::owner,
          .scope = domain::Scope::audit_read,
          .path = kJobPath,
          .response = "ArchivedJob",
          .handler = get_archived_job},
};

}  // namespace

std::span<const Route> archive_routes() { return kRoutes; }

}  // namespace sallyport::api
