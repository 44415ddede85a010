#pragma once

#include "agent/connectors/bodies.h"
#include "agent/connectors/mail/header.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace sallyport::connectors::mail {

struct Attachment {
  std::unique_ptr<ByteReader> body;
  std::string name, type;
};

struct Message {
  Mailbox from;
  std::vector<Mailbox> to, cc, reply_to;
  std::string subject, id;  // id without its brackets
  WallTime date{};
  std::string text, html;  // UTF-8; one may be empty
  std::vector<Attachment> attachments;
};

// A message as it goes over the wire (RFC 5322, RFC 2045), in pieces: nothing but the texts is held. Every body is in
// base64, in which no boundary and no line of SMTP's own can stand.
class MessageReader final : public ByteReader {
 public:
  // Class "invalid" for what cannot stand in a header; "too_large" from read() when it gets over `limit` bytes.
  static StepResult<MessageReader> make(Message message, std::uint64_t limit);
  StepResult<std::size_t> read(std::span<std::byte> into) override;

 private:
  struct Segment {
    std::string head;
    std::unique_ptr<ByteReader> body;  // may be none
  };
  explicit MessageReader(std::uint64_t limit) : limit_(limit) {}
  StepResult<void> add_texts(const Message& message, const std::string& boundary);
  void add(std::string head, std::unique_ptr<ByteReader> body);
  StepResult<void> refill();

  std::vector<Segment> segments_;
  std::size_t at_ = 0;  // the segment that is being read
  std::string ready_;   // encoded, not yet read
  std::size_t taken_ = 0;
  std::uint64_t limit_, given_ = 0;
};

}  // namespace sallyport::connectors::mail
