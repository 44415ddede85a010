#pragma once

#include "tests/unit/relay/cli/cli_run.h"
#include "tests/unit/shared/http/running_server.h"

#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

namespace sallyport::test {

// One thing that happens on a stream, after a pause. An event without a name is a sign of life.
struct Beat {
  std::chrono::milliseconds after{0};
  http::ServerEvent event;
};

http::Reply events_reply(std::vector<Beat> beats);          // then the stream ends
http::Reply silent_reply(std::vector<Beat> beats);          // then nothing comes any more
http::Reply text_reply(int status, std::string body = "");  // JSON

// A relay that behaves as a test wants: real HTTPS, made-up answers.
class ScriptedRelay final : public http::Handler {
 public:
  struct Asked {
    std::string path;
    std::string last_event_id;
    std::string idempotency_key;
    std::string authorization;
  };
  // Gives the answer to the request number `turn` (0, 1, ...) of its path. Called on the server's thread.
  using Answer = std::function<http::Reply(const Asked& asked, std::size_t turn)>;

  explicit ScriptedRelay(Answer answer) : answer_(std::move(answer)), server_(*this) {}
  boost::asio::awaitable<http::Admission> admit(const http::RequestHead& head) override;

  std::vector<Asked> asked(const std::string& path) const;
  void forget();                      // what was asked
  Surroundings surroundings() const;  // of somebody who is logged in here
  std::uint16_t port() const { return server_.port(); }
  std::string root() const { return server_.root(); }

 private:
  Answer answer_;
  mutable std::mutex mutex_;
  std::vector<Asked> asked_;
  RunningServer server_;
};

}  // namespace sallyport::test
