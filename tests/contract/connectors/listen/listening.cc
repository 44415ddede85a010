#include "tests/contract/connectors/listen/listening.h"

#include "shared/async/blocking.h"
#include "shared/async/timeout.h"
#include "shared/crypto/digest.h"
#include "tests/support/free_port.h"
#include "tests/support/server_process.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>

namespace sallyport::test {
namespace asio = boost::asio;
using namespace std::chrono_literals;
using connectors::StepResult;
namespace {

std::string private_file(const TempDir& files, std::string_view name, std::string_view content) {
  auto file = files.write(name, content);
  ::chmod(file.c_str(), 0600);
  return file;
}

std::string with(std::string text, std::string_view word, const std::string& meaning) {
  for (std::size_t at = 0; (at = text.find(word, at)) != std::string::npos; at += meaning.size())
    text.replace(at, word.size(), meaning);
  return text;
}

}  // namespace

std::string signature_of(std::string_view content, std::string_view secret) {
  return hex(crypto::hmac_sha256(Secret::take(std::string(secret)), {as_bytes(content)}));
}

asio::awaitable<std::string> raw(asio::any_io_executor executor, std::uint16_t port, std::string bytes) {
  constexpr auto kNoThrow = asio::as_tuple(asio::use_awaitable);
  asio::ip::tcp::socket socket(executor);
  co_await socket.async_connect({asio::ip::make_address("127.0.0.1"), port}, asio::use_awaitable);
  co_await asio::async_write(socket, asio::buffer(bytes), kNoThrow);
  std::string answer;
  co_await asio::async_read(socket, asio::dynamic_buffer(answer), kNoThrow);
  co_return answer;
}

std::string Answer::header(std::string_view name) const {
  const auto at = text.find(fmt::format("\r\n{}: ", name));
  if (at == std::string::npos) return {};
  const auto begin = at + name.size() + 4;
  return text.substr(begin, text.find("\r\n", begin) - begin);
}

std::string Answer::body() const {
  const auto at = text.find("\r\n\r\n");
  return at == std::string::npos ? std::string() : text.substr(at + 4);
}

Listening::Listening(asio::any_io_executor executor, const std::string& settings, const std::string& rules)
    : executor_(executor), port_(free_port()), changed_(executor) {
  const auto secret = private_file(files_, "secret", kSecret);
  const auto other = private_file(files_, "other", "another secret of theirs");
  auto connections = fmt::format("connections:\n  hooks: {{kind: http-listen, port: {}, {}}}\n", port_, settings);
  connections = with(with(std::move(connections), "@SECRET@", secret), "@OTHER@", other);
  agent = std::make_unique<ConnectorSite>(
      connections, fmt::format("actions: [http.listen@1]\nconnections:\n  hooks: {{listen: [{}]}}\n", rules));
  trigger_ = connectors::listen::make_listen_trigger(agent->site());
}

std::size_t Listening::start(std::string recipe, ValueMap arguments) {
  const auto bound = recipe::bind_arguments(*recipe::find_trigger("http.listen@1"), Value(std::move(arguments)));
  if (!bound) FAIL(bound.error().front().message);
  tasks_.push_back(std::make_unique<TaskGroup>(executor_, [](auto&, auto) { FAIL("no task throws"); }));
  tasks_.back()->spawn("listen", listen(std::move(recipe), *bound));
  return tasks_.size() - 1;
}

asio::awaitable<void> Listening::listen(std::string recipe, Value arguments) {
  auto sink = [this, recipe](connectors::TriggerEvent event) { return take(recipe, std::move(event)); };
  auto trouble = [this](auto, std::string message) -> asio::awaitable<void> {
    troubles.push_back(std::move(message));
    changed_.set();
    co_return;
  };
  ended = co_await trigger_->run({recipe, "hooks", arguments, {}}, sink, trouble);
  changed_.set();
}

asio::awaitable<StepResult<void>> Listening::take(std::string recipe, connectors::TriggerEvent event) {
  if (!failure.empty()) co_return connectors::step_fail(failure, "no room");
  events.push_back(std::move(event));
  recipes.push_back(std::move(recipe));
  changed_.set();
  if (const auto held = gate) co_await held->wait();
  co_return StepResult<void>();
}

asio::awaitable<void> Listening::stop(std::size_t number) {
  tasks_.at(number)->stop();
  co_await tasks_.at(number)->join();
}

asio::awaitable<void> Listening::stop_all() {
  for (std::size_t i = 0; i < tasks_.size(); ++i) co_await stop(i);
}

asio::awaitable<void> Listening::until(std::function<bool()> done) {
  const auto deadline = std::chrono::steady_clock::now() + 40s;
  while (!done() && std::chrono::steady_clock::now() < deadline) {
    changed_.clear();
    co_await changed_.wait_until(std::min(deadline, std::chrono::steady_clock::now() + 20ms));
  }
  if (!done()) FAIL("it did not come to that in time");
}

asio::awaitable<void> Listening::until_open() {
  co_await until([this] { return takes_connections(port_); });
}

asio::awaitable<Answer> Listening::curl(std::string arguments, std::string path, std::string scheme) {
  const auto command = fmt::format("curl -s -i --noproxy '*' --max-time 40 {} '{}://127.0.0.1:{}{}' || true", arguments,
                                   scheme, port_, path);
  Answer answer{.text = co_await run_blocking(thread_, [command] { return output_of(command); })};
  // curl shows what came before, such as 100 Continue.
  while (answer.text.starts_with("HTTP/1.1 1")) answer.text.erase(0, answer.text.find("\r\n\r\n") + 4);
  if (answer.text.starts_with("HTTP/1.1 ")) answer.status = std::stoi(answer.text.substr(9, 3));
  co_return answer;
}

asio::awaitable<Answer> Listening::expect(int status, std::string arguments, std::string path, std::string scheme) {
  auto answer = co_await curl(arguments, path, std::move(scheme));
  INFO(arguments << " " << path << " " << answer.text);
  CHECK(answer.status == status);
  co_return answer;
}

bool Listening::told(std::string_view words) const {
  return std::ranges::any_of(troubles, [&](const auto& text) { return text.contains(words); });
}

}  // namespace sallyport::test
