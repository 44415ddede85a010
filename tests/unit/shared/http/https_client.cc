#include "tests/unit/shared/http/https_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <utility>

namespace sallyport::test {

HttpsClient::HttpsClient(Options options) {
  std::signal(SIGPIPE, SIG_IGN);
  socket_ = ::socket(AF_INET, SOCK_STREAM, 0);
  const timeval limit{5, 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(options.port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return;
  context_ = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_security_level(context_, 0);
  SSL_CTX_set_min_proto_version(context_, TLS1_VERSION);
  if (options.most_version != 0) SSL_CTX_set_max_proto_version(context_, options.most_version);
  if (!options.suites.empty()) SSL_CTX_set_cipher_list(context_, options.suites.c_str());
  tls_ = SSL_new(context_);
  if (!options.alpn.empty()) {
    SSL_set_alpn_protos(tls_, reinterpret_cast<const unsigned char*>(options.alpn.data()),
                        static_cast<unsigned>(options.alpn.size()));
  }
  SSL_set_fd(tls_, socket_);
  if (SSL_connect(tls_) == 1) return;
  SSL_free(tls_);
  tls_ = nullptr;
}

HttpsClient::~HttpsClient() {
  SSL_free(tls_);
  SSL_CTX_free(context_);
  if (socket_ >= 0) ::close(socket_);
}

std::string HttpsClient::tls_version() const { return tls_ == nullptr ? "" : SSL_get_version(tls_); }

bool HttpsClient::send(std::string_view bytes) {
  return tls_ != nullptr &&
         SSL_write(tls_, bytes.data(), static_cast<int>(bytes.size())) == static_cast<int>(bytes.size());
}

bool HttpsClient::read_more() {
  char buffer[4096];
  const int count = tls_ == nullptr ? 0 : SSL_read(tls_, buffer, sizeof buffer);
  if (count > 0) pending_.append(buffer, static_cast<std::size_t>(count));
  return count > 0;
}

std::string HttpsClient::receive_until(std::string_view text) {
  for (;;) {
    if (const auto at = pending_.find(text); at != std::string::npos) {
      auto out = pending_.substr(0, at + text.size());
      pending_.erase(0, at + text.size());
      return out;
    }
    if (!read_more()) return std::exchange(pending_, {});
  }
}

std::string HttpsClient::receive() {
  auto answer = receive_until("\r\n\r\n");
  if (!answer.ends_with("\r\n\r\n")) return {};
  const auto length = header_of(answer, "Content-Length");
  const auto wanted = length.empty() ? 0 : std::stoul(length);
  while (pending_.size() < wanted) {
    if (!read_more()) return {};
  }
  answer += pending_.substr(0, wanted);
  pending_.erase(0, wanted);
  return answer;
}

bool HttpsClient::closed() {
  if (!pending_.empty() || tls_ == nullptr) return tls_ == nullptr;
  char byte = 0;
  const int count = SSL_read(tls_, &byte, 1);
  if (count > 0) return false;
  const auto reason = SSL_get_error(tls_, count);
  return reason == SSL_ERROR_ZERO_RETURN || reason == SSL_ERROR_SSL || (reason == SSL_ERROR_SYSCALL && errno != EAGAIN);
}

std::string body_of(std::string_view answer) {
  const auto at = answer.find("\r\n\r\n");
  return at == std::string_view::npos ? std::string() : std::string(answer.substr(at + 4));
}

int status_of(std::string_view answer) {
  return answer.starts_with("HTTP/1.1 ") ? std::stoi(std::string(answer.substr(9, 3))) : 0;
}

std::string header_of(std::string_view answer, std::string_view name) {
  const auto at = answer.find("\r\n" + std::string(name) + ": ");
  if (at == std::string_view::npos) return {};
  const auto from = at + name.size() + 4;
  return std::string(answer.substr(from, answer.find("\r\n", from) - from));
}

}  // namespace sallyport::test
