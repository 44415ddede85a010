#include "relay/tunnels/reach.h"

#include "proto/sallyport/v1/tunnel.pb.h"
#include "shared/async/timeout.h"
#include "shared/link/message_bytes.h"

#include <fmt/format.h>

namespace sallyport::tunnels {
namespace {

constexpr std::size_t kMaxMessage = 4'096;
constexpr std::size_t kMaxText = 1'000;

Result<Reach> answer_of(Result<std::optional<Bytes>> message) {
  if (!message) return std::unexpected(std::move(message).error());
  if (!*message) return fail(Errc::invalid, "it ended the channel without a word");
  return parse_reach(**message);
}

}  // namespace

Result<Reach> parse_reach(std::span<const std::byte> message) {
  if (message.size() > kMaxMessage) return fail(Errc::invalid, "P14: the answer is over 4 KiB");
  v1::Reach told;
  if (!link::parse(told, message)) return fail(Errc::invalid, "P14: the answer is no Reach message");
  if (told.rule().size() > kMaxText || told.detail().size() > kMaxText)
    return fail(Errc::invalid, "P14: a text of the answer is over 1,000 bytes");
  const bool answers = told.allowed() && told.answers();
  return Reach{.asked = true,
               .agent = {},
               .allowed = told.allowed(),
               .rule = told.allowed() ? std::string() : told.rule(),
               .answers = answers,
               .detail = answers ? std::string() : told.detail(),
               .connect_ms = answers ? told.connect_ms() : 0};
}

boost::asio::awaitable<Reach> ask_reach(Placement::Opened opened, std::chrono::milliseconds limit) {
  auto answer = answer_of(co_await with_timeout(limit, opened.channel.receive_message()));
  if (answer) {
    (void)opened.channel.finish();
    answer->agent = std::move(opened.agent);
    co_return *std::move(answer);
  }
  co_return Reach{.asked = true,
                  .agent = std::move(opened.agent),
                  .detail = fmt::format("the agent gave no answer: {}", answer.error().message)};
}

}  // namespace sallyport::tunnels
