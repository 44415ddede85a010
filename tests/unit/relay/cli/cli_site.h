#pragma once

#include "tests/unit/relay/api/world.h"
#include "tests/unit/relay/cli/cli_run.h"
#include "tests/unit/shared/http/running_server.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>

#include <string>
#include <string_view>

namespace sallyport::test {

// The server needs its handler before the loop exists that the handler's world lives on.
class LateApi final : public http::Handler {
 public:
  asio::awaitable<http::Admission> admit(const http::RequestHead& head) override { return target->admit(head); }
  http::Handler* target = nullptr;
};

// The real API over real HTTPS, one organisation in it, and a person's machine with the CLI.
struct CliSite {
  CliSite();
  ~CliSite();

  template <class T>
  T on_loop(asio::awaitable<T> work) {
    return asio::co_spawn(server.loop(), std::move(work), asio::use_future).get();
  }

  std::string url() const;
  Surroundings machine(std::string in = "") const;  // its own login file, nothing in the environment
  Ran run(const std::vector<std::string>& words, std::string in = "") const {
    return run_cli(words, machine(std::move(in)));
  }
  Ran login(domain::Role role) const;
  // The same command with -o json: exit code 0 and exactly one JSON document, or the test fails.
  Value json(std::vector<std::string> words, std::string in = "") const;

  void settle_recipe(std::string_view name) const;        // with one step, active
  JobId start(std::string_view recipe);                   // queued
  void finish(const JobId& job, domain::JobState state);  // an agent has run its only step

  LateApi api;
  RunningServer server;
  TempDir folder;
  World world;
  Tenant tenant;
  AgentId agent;
};

// Of a list that the CLI gave as JSON.
inline const Value& first_of(const Value& list) { return list.find("items")->as_list().at(0); }
inline std::size_t count_of(const Value& list) { return list.find("items")->as_list().size(); }
// What a command printed, when that is one line.
std::string only_line(const std::string& text);

}  // namespace sallyport::test
