#pragma once

#include "tests/support/connector_site.h"
#include "tests/support/pki.h"

#include <sys/types.h>
#include <memory>
#include <string>
#include <vector>

namespace sallyport::test {

// A mail server of its own (tests/support/smtp_server.py) and an agent with the connection "post" to it, which may send
// from agent@example.org to *@example.org.
class Post {
 public:
  // `server`: "starttls", "tls", "none", "broken gone" ...; `settings` stand beside host, port and from.
  explicit Post(const std::string& server, std::string settings = "");
  ~Post();
  Post(const Post&) = delete;
  Post& operator=(const Post&) = delete;

  connectors::StepResult<Value> send(ValueMap arguments);  // to ada@example.org unless it says otherwise
  std::string classes(ValueMap arguments);                 // of the error, joined by a comma; "none"
  std::string ending();                                    // of a `slow` server, which goes on now: "whole" or "cut"
  std::string mail(int number = 1) const;                  // as it arrived, the envelope in front
  int count() const;

  std::unique_ptr<ConnectorSite> agent;

 private:
  void start(const std::string& server);

  TempDir dir_;
  std::unique_ptr<connectors::Action> action_;
  std::uint16_t port_ = 0;
  pid_t pid_ = -1;
};

// The files of certificates that all these servers share: good for 127.0.0.1.
struct PostFiles {
  static const PostFiles& get();
  TempDir dir;
  std::string ca, other_ca, certificate, key, password, wrong_password;
};

}  // namespace sallyport::test
