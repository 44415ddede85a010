#include "tests/contract/connectors/mail/post.h"

#include "agent/connectors/mail/mail_actions.h"
#include "tests/support/free_port.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <arpa/inet.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <sstream>
#include <thread>

namespace sallyport::test {
namespace {

[[maybe_unused]] const auto kNoPipeSignal = std::signal(SIGPIPE, SIG_IGN);  // as the agent does at its start

constexpr std::string_view kPolicy = R"(actions: ["mail.*"]
limits: {bytes: 1GiB}
connections: {post: {mail: {recipients: ["*@example.org"]}}}
)";

bool answers(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool good = ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  ::close(fd);
  return good;
}

}  // namespace

const PostFiles& PostFiles::get() {
  static const SystemClock clock;
  static const Pki pki(clock);
  static PostFiles files;
  if (!files.ca.empty()) return files;
  files.ca = files.dir.write("ca.pem", pki.root.certificate.pem());
  files.other_ca = files.dir.write("other.pem", must(crypto::make_root("Other root", clock)).certificate.pem());
  files.certificate = files.dir.write("server.pem", pki.server.certificate.pem() + pki.root.certificate.pem());
  files.key = files.dir.write("server.key", pki.server.key.to_pem().reveal());
  files.password = files.dir.write("password", "p0st-s3cret");
  files.wrong_password = files.dir.write("wrong", "wr0ng-s3cret");
  for (const auto& file : {files.password, files.wrong_password}) ::chmod(file.c_str(), 0600);
  return files;
}

Post::Post(const std::string& server, std::string settings) {
  start(server);
  if (!settings.empty()) settings = ", " + settings;
  agent = std::make_unique<ConnectorSite>(
      fmt::format("connections:\n  post: {{kind: smtp, port: {}, from: [\"The Agent <agent@example.org>\"]{}{}}}\n",
                  port_, settings.contains("host:") ? "" : ", host: 127.0.0.1", settings),
      std::string(kPolicy));
  action_ = std::move(connectors::mail::make_actions(agent->site()).front());
}

void Post::start(const std::string& server) {
  const auto& files = PostFiles::get();
  port_ = free_port();
  std::vector<std::string> words{"tests/support/smtp_server.py", dir_.path(), std::to_string(port_)};
  std::istringstream more(server);
  for (std::string word; more >> word;) words.push_back(word);
  if (!server.starts_with("broken")) words.insert(words.begin() + 4, {files.certificate, files.key});
  pid_ = ::fork();
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    ::execv(argv.front(), argv.data());
    ::_exit(127);
  }
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!answers(port_)) {
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) == pid_ || std::chrono::steady_clock::now() > deadline)
      throw std::runtime_error("the mail server did not start");
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

Post::~Post() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

connectors::StepResult<Value> Post::send(ValueMap arguments) {
  arguments.emplace(Value("to"), Value("ada@example.org"));
  arguments.emplace(Value("subject"), Value("Hello"));
  return agent->run(*action_, std::move(arguments), "post");
}

std::string Post::classes(ValueMap arguments) {
  const auto output = send(std::move(arguments));
  return output ? "none" : fmt::format("{}", fmt::join(output.error().classes, ","));
}

std::string Post::ending() {
  dir_.write("go", "");
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (dir_.read("ended").empty() && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  return dir_.read("ended");
}

std::string Post::mail(int number) const { return dir_.read(std::to_string(number) + ".eml"); }

int Post::count() const {
  int found = 0;
  for (const auto& file : std::filesystem::directory_iterator(dir_.path())) found += file.path().extension() == ".eml";
  return found;
}

}  // namespace sallyport::test
