#include "agent/smb/conversation.h"

#include "agent/connectors/smb/wire/codec.h"
#include "agent/smb/share.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <vector>

namespace sallyport::smb {
namespace {

bool receive_all(int socket, std::span<std::byte> into) {
  while (!into.empty()) {
    const auto got = ::read(socket, into.data(), into.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    into = into.subspan(static_cast<std::size_t>(got));
  }
  return true;
}

bool send_all(int socket, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const auto sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(sent));
  }
  return true;
}

wire::Answer told(Outcome<> outcome) {
  if (outcome) return wire::Done{};
  return outcome.error();
}

class Conversation {
 public:
  explicit Conversation(int socket) : socket_(socket) {}

  int run() {
    while (next()) {
      auto request = wire::decode_request(message_);
      if (!request) return 2;
      const bool first = std::holds_alternative<wire::Open>(*request);
      if (first == (share_ != nullptr)) return 2;
      if (!answer(judged(std::visit([this](auto& one) { return take(one); }, *request)))) return 1;
    }
    return 0;
  }

 private:
  bool next() {
    std::array<std::byte, wire::kLengthSize> length{};
    wipe(message_.data(), message_.size());  // it may have held the password
    if (!receive_all(socket_, length)) return false;
    const auto size = wire::decode_length(length);
    if (!size) return false;
    message_.resize(*size);
    return receive_all(socket_, message_);
  }

  bool answer(const wire::Answer& answer) {
    return wire::encode(answer, sent_).has_value() && send_all(socket_, sent_);
  }

  // A server that has gone, or has ended the session, is told by all kinds of errors; the share's top was there before.
  wire::Answer judged(wire::Answer answer) {
    const auto* const why = std::get_if<wire::Failed>(&answer);
    if (why == nullptr || !share_ || why->trouble == wire::Trouble::connection || share_->look(".")) return answer;
    return wire::Failed{wire::Trouble::connection, why->number};
  }

  wire::Answer take(wire::Open& open) {
    settings_ = std::move(open);
    auto opened = Share::open(settings_);
    if (!opened) return opened.error();
    share_ = *std::move(opened);
    return wire::Done{};
  }
  wire::Answer take(const wire::Look& look) {
    auto facts = share_->look(look.path);
    if (!facts) return facts.error();
    return *facts;
  }
  wire::Answer take(const wire::List& list) {
    return told(share_->list(list.path, [this](const wire::Entry& entry) { return answer(entry); }));
  }
  wire::Answer take(const wire::OpenFile& open) { return told(share_->open_file(open.path, open.mode)); }
  wire::Answer take(const wire::Read& read) {
    piece_.resize(std::min<std::uint64_t>(read.count, wire::kMostPiece));
    auto got = share_->read(read.from, piece_);
    if (!got) return got.error();
    return wire::Piece{wire::Bytes(piece_).first(*got)};
  }
  wire::Answer take(const wire::Write& write) { return told(share_->write(write.at, write.bytes)); }
  wire::Answer take(const wire::Close&) { return told(share_->close()); }
  wire::Answer take(const wire::Rename& rename) { return told(share_->rename(rename.from, rename.to)); }
  wire::Answer take(const wire::Remove& remove) { return told(share_->remove(remove.path)); }

  int socket_;
  wire::Open settings_;  // outlives the share
  std::unique_ptr<Share> share_;
  std::vector<std::byte> message_, sent_, piece_;
};

}  // namespace

int converse(int socket) { return Conversation(socket).run(); }

}  // namespace sallyport::smb
