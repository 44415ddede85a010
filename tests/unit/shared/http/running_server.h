#pragma once

#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "shared/base/metrics.h"
#include "shared/http/server.h"

#include <boost/asio/io_context.hpp>

#include <filesystem>
#include <mutex>
#include <string>
#include <thread>

namespace sallyport::test {

class MemorySink final : public LogSink {
 public:
  void write(std::string_view line) override;
  std::string text() const;

 private:
  mutable std::mutex mutex_;
  std::string text_;
};

// A certificate and key for 127.0.0.1 in a folder of its own, made at run time and removed with this object.
class CertificateFiles {
 public:
  CertificateFiles();
  ~CertificateFiles();
  std::string certificate() const { return (folder_ / "server.pem").string(); }
  std::string root() const { return (folder_ / "root.pem").string(); }
  std::string key() const { return (folder_ / "server.key").string(); }
  std::filesystem::path folder() const { return folder_; }

 private:
  std::filesystem::path folder_;
};

// The real server on a free loopback port with its own thread and loop. The handler is called on that thread.
class RunningServer {
 public:
  explicit RunningServer(http::Handler& handler, http::Limits limits = {});
  ~RunningServer();  // stops and joins

  std::uint16_t port() const { return port_; }
  std::string root() const { return files_.root(); }  // the file of the certificate that clients trust
  std::string log() const { return sink_.text(); }
  std::string metrics() const { return metrics_.prometheus(); }
  boost::asio::io_context& loop() { return loop_; }
  void ask_to_stop();  // from any thread
  void join();         // until run() has ended

 private:
  CertificateFiles files_;
  MemorySink sink_;
  SystemClock clock_;
  Log log_{sink_, clock_, LogLevel::debug};
  Metrics metrics_;
  boost::asio::io_context loop_{1};
  http::Server server_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

}  // namespace sallyport::test
