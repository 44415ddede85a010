#pragma once

#include "agent/system_keys/system_keys.h"
#include "shared/sealing/system_key.h"
#include "tests/support/pki.h"
#include "tests/support/temp_dir.h"

// An enrolled agent's state directory, and whoever seals to it. Link agent/system_keys.
namespace sallyport::test {

class FixedIdentity final : public agent::IdentityStore {
 public:
  explicit FixedIdentity(const agent::Identity& identity) { must(install(identity)); }
  Result<agent::Identity> load() const override { return agent::parse_identity(text_); }
  Result<void> install(const agent::Identity& identity) override {
    text_ = agent::format_identity(identity).reveal();
    return {};
  }

 private:
  std::string text_;
};

struct KeptLines final : LogSink {
  std::string text;
  void write(std::string_view line) override { text.append(line).append("\n"); }
};

struct SystemKeyBench {
  agent::Identity identity() const {
    auto pair = pki.agent();
    return {{"relay.test", 443}, "dc1", pair.id, std::move(pair.key), pair.chain, pki.root.certificate};
  }
  std::unique_ptr<agent::SystemKeys> open() const {
    return must(agent::SystemKeys::open(dir.path(), store, clock, log));
  }

  // As the CLI does it.
  agent::HeldKey sealed(agent::SystemKeys& to, std::string name, std::uint64_t version, std::string password) const {
    const auto statement = must(sealing::parse_statement(must(to.statement())));
    const auto recipient = must(sealing::verify_statement(statement, pki.root.certificate, clock.wall()));
    sealing::Credentials credentials;
    credentials.emplace("password", Secret::take(std::move(password)));
    const sealing::SealedFor binding{recipient.agent.org,   GroupId("grp_1"),    name, version,
                                     recipient.agent.agent, recipient.generation};
    return {name, binding.group, version, recipient.generation,
            must(sealing::seal_credentials(recipient.key, binding, credentials))};
  }

  MovableClock clock;
  Pki pki{clock};
  TempDir dir;
  FixedIdentity store{identity()};
  mutable KeptLines lines;
  Log log{lines, clock, LogLevel::debug};
};

}  // namespace sallyport::test
