#pragma once

#include "agent/connectors/remote/access.h"
#include "agent/connectors/trigger.h"

#include <boost/asio/thread_pool.hpp>

#include <memory>
#include <string>

namespace sallyport::connectors::remote {

// PREFIX.watch@1: one event for each file that appears in a directory of a server and has settled. Data: {"file":
// mapping with path, name, size, mtime}. natural_key: connection, path, time and size of the file.
// Looks at the whole directory `every` so often, and sooner while files settle. A file that is still there after a
// restart is offered again; the journal knows its key. Of more files than `most` that match only the first by path are
// looked at, and that is told. The policy ends it; what a server says may pass, and is waited out.
class WatchTrigger final : public TriggerSource {
 public:
  WatchTrigger(Site site, std::shared_ptr<const Servers> servers, std::string name, std::size_t most,
               boost::asio::thread_pool& pool)
      : site_(site), servers_(std::move(servers)), name_(std::move(name)), most_(most), pool_(pool) {}
  std::string_view name() const override { return name_; }
  boost::asio::awaitable<StepResult<void>> run(TriggerSpec spec, TriggerSink sink, Trouble trouble) override;

 private:
  Site site_;
  std::shared_ptr<const Servers> servers_;
  std::string name_;
  std::size_t most_;
  boost::asio::thread_pool& pool_;
};

}  // namespace sallyport::connectors::remote
