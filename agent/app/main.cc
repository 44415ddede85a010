#include "agent/app/agent.h"
#include "agent/app/agent_status.h"
#include "agent/app/ask_status.h"
#include "agent/app/authorize.h"
#include "agent/app/doctor.h"
#include "agent/app/identity_commands.h"
#include "agent/connectors/amqp/amqp_actions.h"
#include "agent/connectors/kafka/kafka_actions.h"
#include "agent/connectors/ldap/ldap_actions.h"
#include "agent/connectors/libcurl.h"
#include "agent/connectors/smb/smb_actions.h"
#include "agent/connectors/sql/database.h"

#include "shared/base/json.h"
#include "shared/base/redactor.h"
#include "shared/base/undumpable.h"

#include <fmt/format.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>
#include <span>
#include <string>
#include <system_error>
#include <vector>

namespace {

using namespace sallyport;

constexpr int kStandardError = 2;
constexpr std::string_view kUsage =
    "usage: sallyport-agent enrol STRING|-   obtain an identity with an enrolment string (- reads it from standard "
    "input)\n"
    "       sallyport-agent run              link to the relay and run recipes\n"
    "       sallyport-agent status [--json]  how the agent of this machine is; exit code 0 when it is linked, 1 when "
    "it is "
    "not, 3 when none runs\n"
    "       sallyport-agent doctor [--json]  what is in the agent's way, from its files to the relay and its systems; "
    "exit "
    "code 0 when nothing is\n"
    "       sallyport-agent connection test NAME [--json]  what lies between this machine and one system; exit code 0 "
    "when steps can use it\n"
    "       sallyport-agent connection authorize NAME  a person logs in with a browser for a connection with `grant: "
    "authorization_code`\n"
    "       sallyport-agent sealing-key show|renew  the fingerprint of what system keys are sealed to; make the next "
    "one\n"
    "       sallyport-agent config check     check agent.yaml, connections.yaml and policy.yaml\n"
    "       sallyport-agent version\n\n"
    "options: --config DIR   where the three files are (default: SALLYPORT_CONFIG_DIR, else /etc/sallyport)\n";

constexpr int kNotRunning = 3;  // as `status` of a service script (Linux Standard Base)

struct Words {
  std::string config_dir;
  std::vector<std::string> rest;
  bool json = false;
};

Result<Words> parse(std::span<char*> given) {
  const char* from_environment = std::getenv("SALLYPORT_CONFIG_DIR");
  Words words{from_environment != nullptr ? from_environment : "/etc/sallyport", {}};
  for (std::size_t i = 0; i < given.size(); ++i) {
    const std::string word = given[i];
    if (word.starts_with("--config=")) {
      words.config_dir = word.substr(9);
    } else if (word == "--config") {
      if (i + 1 == given.size()) return fail(Errc::invalid, "--config needs a directory");
      words.config_dir = given[++i];
    } else if (word == "--help" || word == "-h" || word == "--version") {
      return Words{words.config_dir, {word == "--version" ? "version" : "help"}};
    } else if (word == "--json") {
      words.json = true;
    } else if (word.starts_with("--")) {
      return fail(Errc::invalid, fmt::format("unknown option {}", word));
    } else {
      words.rest.push_back(word);
    }
  }
  return words;
}

Result<policy::Config> load(const std::string& directory) {
  std::error_code problem;
  if (!std::filesystem::is_directory(directory, problem)) {
    return fail(Errc::not_found, fmt::format("{}: there is no such folder; name that of agent.yaml, connections.yaml "
                                             "and policy.yaml by --config DIR or SALLYPORT_CONFIG_DIR",
                                             directory));
  }
  auto config = policy::load_config(directory);
  if (config) return std::move(*config);
  return std::unexpected(yaml::to_error(config.error()));
}

Result<void> enrol(const Words& words) {
  SP_TRY(const auto config, load(words.config_dir));
  std::string text = words.rest[1];
  if (text == "-") {
    text.clear();
    std::getline(std::cin, text);
  }
  const SystemClock clock;
  SP_TRY(const auto who, app::enrol_agent(config, std::move(text), clock));
  fmt::print("Enrolled as {}\nStart it with: sallyport-agent run --config {}\n", who, words.config_dir);
  return {};
}

Result<void> run(const Words& words) {
  SP_CHECK(become_undumpable());
  SP_TRY(const auto config, load(words.config_dir));
  const SystemClock clock;
  Redactor redactor;
  FdSink standard_error(kStandardError);
  RedactingSink sink(standard_error, redactor);
  return app::run_agent(config, clock, Log(sink, clock, config.agent.log_level), redactor);
}

// What a connection needs of this machine, beside its settings.
Result<void> check_machine(const std::string& name, const policy::Connection& connection) {
  const auto* sql = connection.sql();
  Result<void> client;
  if (sql != nullptr) client = connectors::sql::check_client(*sql);
  if (connection.http() != nullptr || connection.smtp() != nullptr || connection.ftps() != nullptr)
    client = connectors::load_libcurl();
  if (connection.amqp() != nullptr) client = connectors::amqp::check_amqp_client();
  if (connection.kafka() != nullptr) client = connectors::kafka::check_kafka_client();
  if (connection.ldap() != nullptr) client = connectors::ldap::check_ldap_client();
  if (connection.smb() != nullptr) client = connectors::smb::check_smb_client();
  if (client) return {};
  return in_context(fmt::format("the connection \"{}\"", name), std::move(client).error());
}

Result<void> check(const Words& words) {
  SP_TRY(const auto config, load(words.config_dir));
  for (const auto& [name, connection] : config.connections) SP_CHECK(check_machine(name, connection));
  fmt::print("{}: agent.yaml, connections.yaml ({}) and policy.yaml are good\n", words.config_dir,
             config.connections.size());
  // No fault of the files: a system key comes over the link, perhaps later.
  for (const auto& lacking : app::examine_system_keys(config, SystemClock()))
    fmt::print("the {} {}\n", lacking.check, lacking.text);
  return {};
}

Result<void> sealing_key(const Words& words) {
  SP_TRY(const auto config, load(words.config_dir));
  const SystemClock clock;
  SP_TRY(const auto text,
         words.rest[1] == "renew" ? app::renew_sealing_key(config, clock) : app::sealing_key_fingerprint(config));
  fmt::print("{}\n", text);
  return {};
}

int tell(const Error& error) {
  fmt::print(stderr, "sallyport-agent: {}\n", error.message);
  return 1;
}

int status(const Words& words) {
  const auto config = load(words.config_dir);
  if (!config) return tell(config.error());
  const auto status = app::ask_status(config->agent);
  if (!status) {
    tell(status.error());
    return status.error().code == Errc::not_found ? kNotRunning : 1;
  }
  fmt::print("{}", words.json ? to_pretty_json(*status) + "\n" : app::status_text(*status));
  return app::is_linked(*status) ? 0 : 1;
}

int tell(const Words& words, const findings::Report& report) {
  fmt::print("{}", words.json ? to_pretty_json(findings::report_value(report)) + "\n" : findings::report_text(report));
  return report.healthy() ? 0 : 1;
}

int examine(const Words& words) {
  const SystemClock clock;
  return tell(words, app::examine(words.config_dir, clock));
}

int test_connection(const Words& words) {
  const auto config = load(words.config_dir);
  if (!config) return tell(config.error());
  const SystemClock clock;
  const auto report = app::examine_connection(*config, words.rest[2], clock);
  return report ? tell(words, *report) : tell(report.error());
}

Result<void> authorize(const Words& words) {
  SP_CHECK(become_undumpable());
  SP_TRY(const auto config, load(words.config_dir));
  const SystemClock clock;
  const auto show = [](const std::string& address) {
    fmt::print(
        "Open this address in a browser, and log in:\n\n{}\n\nThen paste the address that the browser was sent "
        "back to (whatever the page says), within ten minutes:\n",
        address);
    std::fflush(stdout);
  };
  const auto ask = [] {
    std::string line;
    std::getline(std::cin, line);
    return line;
  };
  SP_CHECK(app::authorize_connection(config, words.rest[2], clock, show, ask));
  fmt::print("The connection {} is authorized.\n", words.rest[2]);
  return {};
}

int dispatch(const Words& words) {
  const std::string word = words.rest.empty() ? "" : words.rest[0];
  Result<void> outcome;
  if (word == "version") {
    fmt::print("sallyport-agent " SALLYPORT_VERSION "\n");
  } else if (word == "enrol" && words.rest.size() == 2) {
    outcome = enrol(words);
  } else if (word == "run" && words.rest.size() == 1) {
    outcome = run(words);
  } else if (word == "status" && words.rest.size() == 1) {
    return status(words);
  } else if (word == "doctor" && words.rest.size() == 1) {
    return examine(words);
  } else if (word == "connection" && words.rest.size() == 3 && words.rest[1] == "test") {
    return test_connection(words);
  } else if (word == "connection" && words.rest.size() == 3 && words.rest[1] == "authorize") {
    outcome = authorize(words);
  } else if (word == "sealing-key" && words.rest.size() == 2 && (words.rest[1] == "show" || words.rest[1] == "renew")) {
    outcome = sealing_key(words);
  } else if (word == "config" && words.rest.size() == 2 && words.rest[1] == "check") {
    outcome = check(words);
  } else {
    fmt::print(word == "help" ? stdout : stderr, "{}", kUsage);
    return word == "help" ? 0 : 2;
  }
  return outcome ? 0 : tell(outcome.error());
}

}  // namespace

int main(int count, char** given) {
  std::signal(SIGPIPE, SIG_IGN);  // a server that goes away must not end the program
  try {
    auto words = parse(std::span(given + 1, static_cast<std::size_t>(count - 1)));
    if (words) return dispatch(*words);
    fmt::print(stderr, "sallyport-agent: {}\n", words.error().message);
    return 2;
  } catch (const std::exception& e) {
    fmt::print(stderr, "sallyport-agent: {}\n", e.what());
    return 1;
  }
}
