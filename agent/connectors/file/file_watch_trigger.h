#pragma once

#include "agent/connectors/site.h"
#include "agent/connectors/trigger.h"

#include <boost/asio/thread_pool.hpp>

namespace sallyport::connectors::file {

// file.watch@1: one event for each file that appears in a directory and has settled. Data: {"file": handle of kind
// "file" with sha256}. natural_key: connection, path, identity, time and size of the file.
// Looks at the whole directory when the kernel says that something changed, and at the latest every 5 s (network file
// systems say nothing). A file that is still there after a restart is offered again; the journal knows its key.
class FileWatchTrigger final : public TriggerSource {
 public:
  FileWatchTrigger(Site site, boost::asio::thread_pool& pool) : site_(site), pool_(pool) {}
  std::string_view name() const override { return "file.watch@1"; }
  boost::asio::awaitable<StepResult<void>> run(TriggerSpec spec, TriggerSink sink, Trouble trouble) override;

 private:
  Site site_;
  boost::asio::thread_pool& pool_;
};

}  // namespace sallyport::connectors::file
