#include "tests/unit/shared/http/running_server.h"

#include "shared/crypto/ca.h"
#include "shared/crypto/random.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>

#include <fstream>
#include <stdexcept>

namespace sallyport::test {

void MemorySink::write(std::string_view line) {
  const std::lock_guard lock(mutex_);
  text_.append(line).append("\n");
}

std::string MemorySink::text() const {
  const std::lock_guard lock(mutex_);
  return text_;
}

CertificateFiles::CertificateFiles()
    : folder_(std::filesystem::temp_directory_path() / ("sallyport-test-" + hex(crypto::random_bytes(8)))) {
  const SystemClock clock;
  const auto root = crypto::make_root("test", clock);
  const auto server = crypto::make_server_certificate(root.value(), {"127.0.0.1"}, clock);
  std::filesystem::create_directory(folder_);
  std::ofstream(this->root()) << root.value().certificate.pem();
  std::ofstream(certificate()) << server.value().certificate.pem();
  std::ofstream(key()) << server.value().key.to_pem().reveal();
}

CertificateFiles::~CertificateFiles() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

RunningServer::RunningServer(http::Handler& handler, http::Limits limits)
    : server_(loop_.get_executor(), {.tls = {files_.certificate(), files_.key(), {}}, .limits = limits}, handler,
              {log_, clock_, metrics_}) {
  if (const auto listening = server_.listen(); !listening) throw std::runtime_error(listening.error().message);
  port_ = server_.port();
  boost::asio::co_spawn(loop_, server_.run(), boost::asio::detached);
  thread_ = std::thread([this] { loop_.run(); });
}

RunningServer::~RunningServer() {
  ask_to_stop();
  join();
}

void RunningServer::ask_to_stop() {
  boost::asio::post(loop_, [this] { server_.stop(); });
}

void RunningServer::join() {
  if (thread_.joinable()) thread_.join();
}

}  // namespace sallyport::test
