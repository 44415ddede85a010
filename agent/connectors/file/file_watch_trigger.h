#pragma once

#include "agent/connectors/site.h"
#include "agent/connectors/trigger.h"

#include <boost/asio/thread_pool.hpp>

namespace sallyport::connectors::file {

// file.watch@1: one event for each file that appears in a directory and has settled. Data: {"file": handle of kind
// "file" with sha256}. natural_key: connection, path, identity, time and size of the file.
// Looks at the whole directory when the kernel says that something changed, and at the latest every 5 s (network file
// systems say nothing). A file that is still there after a restart is offered again; the journal knows its key.
// A file that cannot be read is told, passed over and tried again from time to time. Of more files than `most` that
// match, only the newest are looked at, and that is told.
class FileWatchTrigger final : public TriggerSource {
 public:
  static constexpr std::size_t kMost = 50'000;

  FileWatchTrigger(Site site, boost::asio::thread_pool& pool, std::size_t most = kMost)
      : site_(site), pool_(pool), most_(most) {}
  std::string_view name() const override { return "file.watch@1"; }
  boost::asio::awaitable<StepResult<void>> run(TriggerSpec spec, TriggerSink sink, Trouble trouble) override;

 private:
  Site site_;
  boost::asio::thread_pool& pool_;
  std::size_t most_;
};

}  // namespace sallyport::connectors::file
