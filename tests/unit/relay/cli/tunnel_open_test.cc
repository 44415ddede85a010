#include "relay/cli/requests.h"
#include "shared/async/timeout.h"
#include "shared/tunnel/purpose.h"
#include "tests/support/scripted_owner.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/relay/cli/scripted_relay.h"

#include <boost/asio/this_coro.hpp>
#include <catch2/catch.hpp>

#include <csignal>
#include <fstream>

// `tunnel open` with a program, against a relay that carries nothing.
using namespace sallyport;
using namespace sallyport::cli;
using namespace sallyport::test;
namespace asio = boost::asio;

namespace {

// Takes one connection, leaves it open, and takes the right away once the program has gone. A late one greets then.
struct Revoker {
  explicit Revoker(std::string pid_file) : pid_file_(std::move(pid_file)) {
    owner_.work = [this](link::Session& session) { return revoke(session); };
  }
  asio::awaitable<void> hold(std::unique_ptr<ByteStream> stream) {
    auto options = patient_options(mux::Side::relay);
    options.serves = {std::string(tunnel::kConnectionService)};
    while (late && !program_has_gone()) co_await sleep_for(std::chrono::milliseconds(1));
    link::Session session(co_await asio::this_coro::executor, std::move(stream), std::move(options), owner_, clock_);
    co_await session.run();
  }

  bool late = false;

 private:
  asio::awaitable<void> revoke(link::Session& session) {
    const auto connection = co_await session.accept_channel();
    while (connection && !program_has_gone()) co_await sleep_for(std::chrono::milliseconds(1));
    session.refuse({.code = "revoked", .message = "the token is no longer valid", .retry_after = {}});
  }
  bool program_has_gone() const {
    pid_t pid = 0;
    std::ifstream(pid_file_) >> pid;
    return pid != 0 && ::kill(pid, 0) != 0;  // whoever started it has looked after it, too
  }

  std::string pid_file_;
  ScriptedOwner owner_;
  SystemClock clock_;
};

struct Site {
  std::vector<std::string> open_with(std::vector<std::string> program) const {
    std::vector<std::string> words{"tunnel", "open", "tun_01J9Z3AAAAAAAAAAAAAAAAAAA1", "--"};
    words.insert(words.end(), program.begin(), program.end());
    return words;
  }
  Ran run(std::vector<std::string> program) const {
    return run_cli(open_with(std::move(program)), relay.surroundings());
  }

  TempDir folder;
  Revoker revoker{folder.path("pid")};
  ScriptedRelay relay{[this](const ScriptedRelay::Asked& asked, std::size_t) -> http::Reply {
    if (!asked.path.ends_with("/session"))
      return text_reply(200, R"({"id":"tun_01J9Z3AAAAAAAAAAAAAAAAAAA1","name":"erp-db","target":"db:5432"})");
    return http::UpgradeResponse{
        .protocol = std::string(tunnel::kSessionProtocol),
        .headers = {},
        .serve = [this](std::unique_ptr<ByteStream> stream) { return revoker.hold(std::move(stream)); },
        .actor = "usr_1"};
  }};
};

}  // namespace

TEST_CASE("the exit code of a program that had a tunnel is the program's, or a shell's word for why there is none",
          "[cli][tunnels]") {
  const Site site;
  const auto no_program = site.folder.write("data", "no program");
  struct Row {
    std::vector<std::string> program;
    int code;
    std::string says;
  };
  for (const auto& row : {Row{{"sh", "-c", "exit 0"}, 0, ""}, Row{{"sh", "-c", "exit 7"}, 7, ""},
                          Row{{"sh", "-c", "kill -KILL $$"}, 128 + SIGKILL, ""},
                          Row{{"no-such-program-at-all"}, 127, "cannot run no-such-program-at-all"},
                          Row{{no_program}, 126, "cannot run " + no_program}}) {
    INFO(row.program.back());
    const auto ran = site.run(row.program);
    CHECK(ran.code == row.code);
    CHECK_THAT(ran.err, Catch::Contains(row.says));
    CHECK(ran.err.empty() == row.says.empty());
  }
}

TEST_CASE("a tunnel that is refused after its program has ended leaves the program's exit code", "[cli][tunnels]") {
  Site site;
  site.revoker.late = GENERATE(false, true);
  INFO("the relay greets when the program has gone: " << site.revoker.late);
  const auto script = "echo $$ > " + site.folder.path("pid") + "; exec 3<>/dev/tcp/{host}/{port}; exit 7";
  const auto ran = site.run({"bash", "-c", script});
  CHECK(ran.code == 7);
  CHECK_THAT(ran.err, Catch::Contains("no longer valid"));
}
