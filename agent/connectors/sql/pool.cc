#include "agent/connectors/sql/pool.h"

namespace sallyport::connectors::sql {

StepResult<Pool::Lease> Pool::begin(Access access, const CallLimits& limits) {
  for (;;) {
    SP_TRY(auto session, sessions_.acquire(limits));
    Lease lease(std::move(session));
    auto begun = lease->begin(access, limits);
    if (begun) return lease;
    const bool was_dead =
        lease.session_.is_reused() && begun.error().classes.back() == "connection" && !lease->is_usable();
    if (!was_dead) return std::unexpected(std::move(begun).error());
  }
}

Databases::Databases(const Site& site) {
  for (const auto& [name, connection] : site.connections) {
    const auto* sql = connection.sql();
    if (sql == nullptr) continue;
    auto database = make_database(*sql, site.policy.sql_verbs(name), site.vault);
    pools_.emplace(name, std::make_unique<Pool>(name, std::move(database), sql->pool, site.log));
  }
}

Pool* Databases::find(std::string_view connection) const {
  const auto it = pools_.find(connection);
  return it == pools_.end() ? nullptr : it->second.get();
}

}  // namespace sallyport::connectors::sql
