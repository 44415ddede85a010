#include "relay/cli/token_input.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/relay/cli/scripted_relay.h"

#include <catch2/catch.hpp>

#include <fmt/format.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

// Where a token comes from and where it goes.
using namespace sallyport;
using namespace sallyport::cli;
using namespace sallyport::test;

namespace {

const std::string kWho = R"({"user":"usr_1"})";

// What a person who logged in at `relay` has on this machine.
struct Machine {
  explicit Machine(const ScriptedRelay& relay) : root(folder.write("root.pem", read(relay.root()))) {
    const auto in = run({"login", "--relay", url(relay), "--root", root}, {}, "spt_of_the_login\n");
    INFO(in.err);
    REQUIRE(in.code == kDone);
  }
  static std::string url(const ScriptedRelay& relay, const char* host = "127.0.0.1") {
    return fmt::format("https://{}:{}", host, relay.port());
  }
  static std::string read(const std::string& path) { return *cli::read_file(path, 1u << 20); }
  Ran run(const std::vector<std::string>& words, std::map<std::string, std::string> more, std::string in = "") const {
    more.insert({"XDG_CONFIG_HOME", folder.path()});
    return run_cli(words, {.in = std::move(in), .environment = std::move(more), .tune = {}});
  }

  TempDir folder;
  std::string root;
};

ScriptedRelay::Answer anybody() {
  return [](const ScriptedRelay::Asked&, std::size_t) { return text_reply(200, kWho); };
}

}  // namespace

TEST_CASE("the login's token goes to the login's relay only", "[cli][login]") {
  ScriptedRelay home(anybody());
  ScriptedRelay other(anybody());
  const Machine machine(home);
  CHECK(machine.run({"whoami"}, {}).code == kDone);
  CHECK(home.asked("/v1/whoami").back().authorization == "Bearer spt_of_the_login");
  for (const bool option : {true, false}) {
    std::vector<std::string> words{"whoami"};
    std::map<std::string, std::string> environment{{"SALLYPORT_ROOT", other.root()}};
    if (option) words.insert(words.end(), {"--relay", Machine::url(other)});
    if (!option) environment.insert({"SALLYPORT_RELAY", Machine::url(other)});
    const auto ran = machine.run(words, environment);
    CHECK(ran.code == kNotAllowed);
    CHECK_THAT(ran.err, Catch::Contains("the login on this machine is for " + Machine::url(home)) &&
                            Catch::Contains("for " + Machine::url(other) + " set SALLYPORT_TOKEN"));
    CHECK(other.asked("/v1/whoami").empty());
    environment.insert({"SALLYPORT_TOKEN", "spt_for_other"});
    CHECK(machine.run(words, environment).code == kDone);
    CHECK(other.asked("/v1/whoami").back().authorization == "Bearer spt_for_other");
    other.forget();
  }
}

TEST_CASE("a token is one word, and never more than one header", "[cli][login]") {
  ScriptedRelay relay(anybody());
  auto around = relay.surroundings();
  for (const auto* good : {"spt_x", "spt_x\n", " spt_x \r\n"}) {
    around.environment["SALLYPORT_TOKEN"] = good;
    CHECK(run_cli({"whoami"}, around).code == kDone);
    CHECK(relay.asked("/v1/whoami").back().authorization == "Bearer spt_x");
  }
  const auto times = relay.asked("/v1/whoami").size();
  for (const auto* bad : {"spt_x\r\nX-Other: y", "spt x", "spt_\x01", "spt_\xc3\xa4"}) {
    around.environment["SALLYPORT_TOKEN"] = bad;
    const auto ran = run_cli({"whoami"}, around);
    CHECK(ran.code == kFailed);
    CHECK(ran.err == "sallyport: SALLYPORT_TOKEN holds no token: a token is one word of plain characters\n");
  }
  CHECK(relay.asked("/v1/whoami").size() == times);
  CHECK(token_of(std::string(5'000, 'x'), "here").error().code == Errc::invalid);
}

namespace {

// A program at a terminal of its own, which reads a token there.
class AtTerminal {
 public:
  AtTerminal() {
    master_ = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master_ < 0 || ::grantpt(master_) != 0 || ::unlockpt(master_) != 0) return;
    const std::string name = ::ptsname(master_);
    slave_ = ::open(name.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC);
    REQUIRE(slave_ >= 0);
    child_ = ::fork();
    REQUIRE(child_ >= 0);
    if (child_ == 0) read_there(name);
  }
  AtTerminal(const AtTerminal&) = delete;
  AtTerminal& operator=(const AtTerminal&) = delete;
  ~AtTerminal() {
    if (child_ > 0) {
      ::kill(child_, SIGKILL);
      ::waitpid(child_, nullptr, 0);
    }
    if (slave_ >= 0) ::close(slave_);
    if (master_ >= 0) ::close(master_);
  }

  // Without /dev/pts there are no terminals to be had.
  bool is_there() const {
    if (child_ < 0) WARN("no pseudo-terminal: nothing was typed");
    return child_ > 0;
  }

  bool echoes() const {
    termios now{};
    return ::tcgetattr(slave_, &now) == 0 && (now.c_lflag & static_cast<tcflag_t>(ECHO)) != 0;
  }
  void until_hidden() {
    for (int i = 0; i < 2'000 && echoes(); ++i) ::usleep(5'000);
    REQUIRE_FALSE(echoes());
  }
  void type(std::string_view text) { REQUIRE(::write(master_, text.data(), text.size()) > 0); }
  int wait() {
    int status = 0;
    REQUIRE(::waitpid(child_, &status, 0) == child_);
    child_ = -1;
    return status;
  }
  std::string shown() {
    std::string all;
    char chunk[512];
    for (pollfd ready{master_, POLLIN, 0}; ::poll(&ready, 1, 200) > 0 && (ready.revents & POLLIN) != 0;) {
      const auto got = ::read(master_, chunk, sizeof chunk);
      if (got <= 0) break;
      all.append(chunk, static_cast<std::size_t>(got));
    }
    return all;
  }

 private:
  [[noreturn]] static void read_there(const std::string& name) {
    ::setsid();
    const int terminal = ::open(name.c_str(), O_RDWR);
    for (int fd : {0, 1, 2}) ::dup2(terminal, fd);
    ::signal(SIGINT, SIG_DFL);
    const auto token = read_token(stdin, stderr);
    ::_exit(token && token->reveal() == "spt_typed" ? 0 : 7);
  }

  int master_ = -1, slave_ = -1;
  pid_t child_ = -1;
};

}  // namespace

TEST_CASE("a token that is typed is not shown", "[cli][login][terminal]") {
  AtTerminal terminal;
  if (!terminal.is_there()) return;
  terminal.until_hidden();
  terminal.type("spt_typed\n");
  const int status = terminal.wait();
  CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0));
  CHECK(terminal.echoes());
  const auto shown = terminal.shown();
  CHECK_THAT(shown, Catch::StartsWith("Token: ") && !Catch::Contains("spt_typed"));
}

TEST_CASE("who breaks it off has the terminal as it was", "[cli][login][terminal]") {
  AtTerminal terminal;
  if (!terminal.is_there()) return;
  terminal.until_hidden();
  terminal.type("half a tok\x03");
  const int status = terminal.wait();
  CHECK((WIFSIGNALED(status) && WTERMSIG(status) == SIGINT));
  CHECK(terminal.echoes());
}

TEST_CASE("a file that cannot be read to its end is no short file", "[cli]") {
  const TempDir folder;
  const auto ran = run_cli({"recipes", "validate", "-f", folder.path()});
  CHECK(ran.code == kFailed);
  CHECK_THAT(ran.err, Catch::Contains(folder.path() + ": cannot read it to its end: Is a directory"));
}

TEST_CASE("a fault of the relay is named as its log names it", "[cli]") {
  const auto status = GENERATE(500, 503, 404);
  ScriptedRelay relay(
      [&](const ScriptedRelay::Asked&, std::size_t) { return text_reply(status, R"({"title":"No"})"); });
  const auto ran = run_cli({"whoami"}, relay.surroundings());
  INFO(ran.err);
  CHECK_THAT(ran.err, Catch::StartsWith("sallyport: No"));
  CHECK((ran.err.find(" (request ") != std::string::npos) == (status >= 500));
}
