#pragma once

#include "agent/policy/broker_rule.h"
#include "agent/policy/command_template.h"
#include "agent/policy/http_rule.h"
#include "agent/policy/ldap_rule.h"
#include "agent/policy/listen_rule.h"
#include "agent/policy/mail_rule.h"
#include "agent/policy/refusal.h"
#include "agent/policy/secret_rule.h"
#include "agent/policy/sql_text.h"
#include "shared/recipe/problem.h"

#include <chrono>
#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::policy {

// Read also lists and watches; remove also moves away.
enum class FileVerb : unsigned { read = 1, write = 2, remove = 4 };
std::string_view to_string(FileVerb verb);  // "read", "write", "delete"

// Ceilings of one step run. A connection's own narrow the general ones.
struct StepLimits {
  std::chrono::milliseconds run_time = std::chrono::hours(1);
  std::uint64_t rows = 10'000'000;
  std::uint64_t bytes = 64ULL << 30;
};

struct FileRule {
  std::string directory;  // below the connection's root, everything under it included
  std::string pattern;    // of the file's name: `*`, `?`, `[a-z]`
  unsigned verbs = 0;     // a set of FileVerb
  std::string rule;
};

struct ConnectionPolicy {
  std::vector<FileRule> files;
  SqlVerbs sql_verbs = 0;
  LdapRule ldap;
  std::optional<HttpPolicy> http;
  MailRule mail;
  AmqpRule amqp;
  KafkaRule kafka;
  ListenRule listen;
  StepLimits limits;
  yaml::Position at;
  std::string files_rule;  // "policy.yaml:9 connections.erp-share.files"
  std::string sql_rule;
  std::map<std::string, CommandTemplate, std::less<>> commands;  // to be run on the server
  std::string commands_rule;
};

struct TunnelTarget {
  std::string host;
  std::uint16_t port = 0;
  std::string rule;
};

// What the relay may ever ask of this agent (policy.yaml). Nothing is allowed that is not written there; immutable and
// thread-safe. Every refusal names the rule.
class Policy {
 public:
  Policy() = default;  // allows nothing

  // `action` is "sql.query@1" or a trigger's name; `connection` is empty when it takes none. What reaches nothing on
  // this machine (action_pattern.h) needs no rule.
  Verdict<> check_action(std::string_view action, std::string_view connection) const;
  // `path` as clean_path() gives it.
  Verdict<> check_file(std::string_view connection, FileVerb verb, std::string_view path) const;
  // A directory that may be listed or watched for `pattern`: some rule for reading covers it.
  Verdict<> check_directory(std::string_view connection, std::string_view path) const;
  // The verbs of the one statement in `text`, all of them allowed.
  Verdict<SqlVerbs> check_sql(std::string_view connection, std::string_view text, SqlDialect dialect) const;
  SqlVerbs sql_verbs(std::string_view connection) const;  // all that any statement on it may do
  // What steps may do there; without a rule for the connection, or without `ldap` in it, nothing.
  Verdict<const LdapRule*> find_ldap(std::string_view connection) const;
  Verdict<const HttpPolicy*> find_http(std::string_view connection) const;
  Verdict<const AmqpRule*> find_amqp(std::string_view connection) const;
  Verdict<const KafkaRule*> find_kafka(std::string_view connection) const;
  Verdict<const ListenRule*> find_listen(std::string_view connection) const;
  Verdict<> check_recipient(std::string_view connection, std::string_view address) const;
  Verdict<const CommandTemplate*> find_command(std::string_view name) const;
  Verdict<const CommandTemplate*> find_remote_command(std::string_view connection, std::string_view name) const;
  // Where the secret is kept, when this step may take it.
  Verdict<const vault::SecretRef*> check_secret(const SecretUse& use) const;
  // `host` in its canonical form (shared/base/host.h), as the targets written in the file are held: compared byte by
  // byte, so that a name allows no address and an address no name.
  Verdict<> check_tunnel(std::string_view host, std::uint16_t port) const;
  StepLimits limits(std::string_view connection) const;
  const std::map<std::string, ConnectionPolicy, std::less<>>& connections() const { return connections_; }
  const std::map<std::string, SecretRule, std::less<>>& secrets() const { return secrets_; }
  const std::map<std::string, CommandTemplate, std::less<>>& commands() const { return commands_; }
  const std::vector<TunnelTarget>& tunnels() const { return tunnels_; }

 private:
  friend class PolicyReader;
  const ConnectionPolicy* find(std::string_view connection) const;

  struct ActionRule {
    std::string pattern;  // "sql.query@1" or "file.*"
    std::string rule;
  };
  std::string file_ = "policy.yaml";
  std::string actions_rule_ = "policy.yaml actions";
  std::vector<ActionRule> actions_;
  std::map<std::string, ConnectionPolicy, std::less<>> connections_;
  std::map<std::string, CommandTemplate, std::less<>> commands_;
  std::map<std::string, SecretRule, std::less<>> secrets_;
  std::vector<TunnelTarget> tunnels_;
  StepLimits limits_;
};

std::expected<Policy, yaml::Problems> parse_policy(std::string_view text, std::string_view file,
                                                   std::string_view directory);

}  // namespace sallyport::policy
