#pragma once

#include "agent/connectors/sql/sql_actions.h"
#include "agent/connectors/trigger.h"

#include <boost/asio/thread_pool.hpp>

namespace sallyport::connectors::sql {

// sql.poll@1: asks a database again and again for rows beyond a cursor; one event for each batch of them. Data:
// {"rows": list of maps, "count", "cursor"}. The cursor is kept with the event, so that rows neither come twice nor get
// lost over a restart. What somebody has to mend (the statement, a permission, the policy) ends it; what may pass it
// waits out.
class PollTrigger final : public TriggerSource {
 public:
  PollTrigger(Site site, SharedDatabases databases, boost::asio::thread_pool& pool)
      : site_(site), databases_(std::move(databases)), pool_(pool) {}
  std::string_view name() const override { return "sql.poll@1"; }
  boost::asio::awaitable<StepResult<void>> run(TriggerSpec spec, TriggerSink sink, Trouble trouble) override;

 private:
  Site site_;
  SharedDatabases databases_;
  boost::asio::thread_pool& pool_;
};

}  // namespace sallyport::connectors::sql
