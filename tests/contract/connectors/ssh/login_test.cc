// Who the server is, and who the agent is to it.
#include "agent/connectors/ssh/ssh_connection_test.h"
#include "tests/contract/connectors/ssh/partner.h"

using namespace sallyport;
using namespace sallyport::test;

// libssh2 1.11.1 leaks two keys of MACs that it does not use for each session with AES-GCM (mac_method_none_init).
// NOLINTNEXTLINE(bugprone-reserved-identifier): LeakSanitizer's name
extern "C" const char* __lsan_default_suppressions() { return "leak:curve25519_sha256\n"; }

namespace {

std::string connection(const SshServer& server, const std::string& rest) {
  return "  partner: {kind: ssh, host: 127.0.0.1, port: " + std::to_string(server.port()) + ", user: " + server.user() +
         ", root: " + server.files().path() + ", " + rest + "}\n";
}

std::string key(const std::string& file) { return "key_file: " + file; }
std::string pin(const std::string& text) { return "host_keys: ['" + text + "']"; }

bool works(Partner& partner) {
  partner.server.files().write("a", "1");
  const auto got = partner.get("a");
  UNSCOPED_INFO((got ? "" : got.error().message + "\n" + partner.agent.logged() + partner.server.log()));
  return got.has_value();
}

}  // namespace

TEST_CASE("a host key is pinned by its line or by its fingerprint", "[ssh][host_key]") {
  for (const bool by_fingerprint : {false, true}) {
    Partner partner({}, [&](const SshServer& server) {
      return connection(
          server, key(server.key_file()) + ", " +
                      pin(by_fingerprint ? server.fingerprint() : "example.org " + server.host_key() + " comment"));
    });
    CHECK(works(partner));
  }
}

TEST_CASE("of several host keys the server shows the one that is pinned", "[ssh][host_key]") {
  Partner partner({.host_keys = {"ed25519", "ecdsa", "rsa"}}, [](const SshServer& server) {
    return connection(server, key(server.key_file()) + ", " + pin(server.host_key("rsa")));
  });
  CHECK(works(partner));
}

TEST_CASE("a host key that is not pinned ends the attempt before the login", "[ssh][host_key][attack]") {
  const SshServer other;
  Partner partner({}, [&](const SshServer& server) {
    return connection(server, key(server.key_file()) + ", " + pin(other.host_key()));
  });
  const auto got = partner.get("a");
  REQUIRE_FALSE(got);
  CHECK(got.error().classes == std::vector<std::string>{"host_key:unknown", "permission"});
  CHECK(got.error().message.find("may be an attack") != std::string::npos);
  CHECK(got.error().message.find("SHA256") == std::string::npos);
  CHECK(partner.agent.logged().find(partner.server.fingerprint()) != std::string::npos);
  CHECK(partner.agent.logged().find(other.fingerprint()) != std::string::npos);
  CHECK(partner.server.log().find("publickey") == std::string::npos);
}

TEST_CASE("a connection over SSH is tested step by step, and the host key is told", "[ssh][host_key][findings]") {
  const SshServer other;
  const auto found = [](Partner& partner) {
    const auto site = partner.agent.site();
    std::string checks, texts;
    for (const auto& finding : connectors::ssh::make_ssh_connection_test(site)->run(site.connections.at("partner"),
                                                                                    partner.agent.deadline())) {
      checks += finding.check + (finding.verdict == findings::Verdict::bad ? "- " : "+ ");
      texts += finding.text + " " + finding.advice + "\n";
    }
    CHECK(texts.contains(partner.server.fingerprint()));
    return checks;
  };
  Partner good;
  CHECK(found(good) == "dns+ tcp+ host_key+ login+ permission+ ");
  Partner unknown({}, [&](const SshServer& server) {
    return connection(server, key(server.key_file()) + ", " + pin(other.host_key()));
  });
  CHECK(found(unknown) == "dns+ tcp+ host_key- ");
}

TEST_CASE("a host and a user that have RSA keys only", "[ssh][rsa]") {
  Partner partner({.host_keys = {"rsa"}}, [](const SshServer& server) {
    return connection(server, key(server.key_file("rsa")) + ", " + pin(server.host_key("rsa")));
  });
  CHECK(works(partner));
  CHECK(partner.server.log().find("Accepted publickey") != std::string::npos);
}

TEST_CASE("a hardened server", "[ssh][algorithms]") {
  Partner partner({.host_keys = {"ed25519"},
                   .config = "KexAlgorithms curve25519-sha256\nCiphers aes256-gcm@openssh.com\nMACs "
                             "hmac-sha2-512-etm@openssh.com\nPubkeyAcceptedAlgorithms ssh-ed25519\n"});
  CHECK(works(partner));
}

TEST_CASE("a server that only has what is broken is refused", "[ssh][algorithms][attack]") {
  for (const char* config : {"KexAlgorithms diffie-hellman-group14-sha1\n", "Ciphers aes128-cbc\n",
                             "Ciphers aes128-ctr\nMACs hmac-sha1\n"}) {
    INFO(config);
    Partner partner({.config = config});
    CHECK(class_of(partner.get("a")) == "connection");
  }
  Partner narrowed({.config = "Ciphers aes128-ctr,aes256-ctr\n"}, ", algorithms: {ciphers: [aes256-ctr]}");
  CHECK(works(narrowed));
}

TEST_CASE("a key that is locked, wrong or no key", "[ssh][login]") {
  const std::string canary = "passphrase-canary-7f";
  const TempDir files;
  const auto phrase = files.write("phrase", canary + "\n"), wrong = files.write("wrong", "wrong\n");
  const auto nonsense = files.write("nonsense", "key-canary-55\n");
  for (const auto& file : {phrase, wrong, nonsense}) std::filesystem::permissions(file, std::filesystem::perms(0600));
  std::string locked;
  const auto attempt = [&](const std::string& key_file, const std::string& more) {
    Partner partner({}, [&](const SshServer& server) {
      locked = server.key_file("ed25519", canary);
      return connection(server, key(key_file.empty() ? locked : key_file) + more + ", " + pin(server.host_key()));
    });
    partner.server.files().write("a", "1");
    const auto got = partner.get("a");
    const auto told = (got ? "" : got.error().message) + partner.agent.logged();
    CHECK(told.find(canary) == std::string::npos);
    CHECK(told.find("key-canary") == std::string::npos);
    return class_of(got);
  };
  CHECK(attempt("", ", key_passphrase_file: " + phrase) == "none");
  CHECK(attempt("", ", key_passphrase_file: " + wrong) == "invalid");
  CHECK(attempt("", "") == "invalid");
  CHECK(attempt(nonsense, "") == "invalid");
  const SshServer other;
  CHECK(attempt(other.key_file(), "") == "permission");
}

TEST_CASE("a password, asked for or answered", "[ssh][login]") {
  if (::geteuid() != 0) {
    WARN("a server with users of its own needs root");
    return;
  }
  const TempDir files;
  const auto good = files.write("good", "password-canary-3c\n"), bad = files.write("bad", "wrong\n");
  for (const auto& file : {good, bad}) std::filesystem::permissions(file, std::filesystem::perms(0600));
  for (const char* way : {"PasswordAuthentication yes\n", "UsePAM yes\nKbdInteractiveAuthentication yes\n"}) {
    for (const auto& [file, expected] : {std::pair(good, "none"), std::pair(bad, "permission")}) {
      INFO(way << file);
      Partner partner({.config = way, .password = "password-canary-3c"}, [&](const SshServer& server) {
        return "  partner: {kind: ssh, host: 127.0.0.1, port: " + std::to_string(server.port()) +
               ", user: tester, root: " + server.files().path() + ", password_file: " + file + ", " +
               pin(server.host_key()) + "}\n";
      });
      partner.server.files().write("a", "1");
      const auto got = partner.get("a");
      INFO(partner.server.log());
      CHECK(class_of(got) == expected);
      CHECK(((got ? "" : got.error().message) + partner.agent.logged()).find("canary") == std::string::npos);
    }
  }
}
