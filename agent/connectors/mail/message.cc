#include "agent/connectors/mail/message.h"

#include "shared/base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace sallyport::connectors::mail {
namespace {

constexpr std::size_t kLine = 57;  // bytes that become a line of 76 characters
constexpr std::size_t kLines = 256;
constexpr std::string_view kBase64 = "Content-Transfer-Encoding: base64\r\n\r\n";

class TextBytes final : public ByteReader {
 public:
  explicit TextBytes(std::string text) : text_(std::move(text)) {}
  StepResult<std::size_t> read(std::span<std::byte> into) override {
    const auto size = std::min(into.size(), text_.size() - at_);
    std::memcpy(into.data(), text_.data() + at_, size);
    at_ += size;
    return size;
  }

 private:
  std::string text_;
  std::size_t at_ = 0;
};

// As many bytes as there are, up to the buffer's.
StepResult<std::size_t> fill(ByteReader& reader, std::span<std::byte> buffer) {
  std::size_t filled = 0;
  while (filled < buffer.size()) {
    SP_TRY(const auto got, reader.read(buffer.subspan(filled)));
    if (got == 0) break;
    filled += got;
  }
  return filled;
}

std::string mailbox_header(std::string_view name, const std::vector<Mailbox>& mailboxes) {
  return mailboxes.empty() ? "" : fmt::format("{}: {}\r\n", name, header_mailboxes(mailboxes));
}

StepResult<std::string> headers_of(const Message& message) {
  SP_TRY(const auto subject, header_text(message.subject));
  auto out = mailbox_header("From", {message.from});
  out += mailbox_header("To", message.to) + mailbox_header("Cc", message.cc) +
         mailbox_header("Reply-To", message.reply_to);
  return out + fmt::format("Subject: {}\r\nDate: {}\r\nMessage-ID: <{}>\r\nMIME-Version: 1.0\r\n", subject,
                           header_date(message.date), message.id);
}

std::string multipart(std::string_view kind, std::string_view boundary) {
  return fmt::format("Content-Type: multipart/{};\r\n boundary=\"{}\"\r\n\r\n", kind, boundary);
}

std::string text_head(std::string_view kind) {
  return fmt::format("Content-Type: text/{}; charset=utf-8\r\n{}", kind, kBase64);
}

}  // namespace

void MessageReader::add(std::string head, std::unique_ptr<ByteReader> body) {
  segments_.push_back({std::move(head), std::move(body)});
}

StepResult<void> MessageReader::add_texts(const Message& message, const std::string& boundary) {
  if (!is_valid_utf8(message.text) || !is_valid_utf8(message.html))
    return step_fail("invalid", "the text of the mail is not UTF-8");
  const bool both = !message.text.empty() && !message.html.empty();
  if (!both) {
    const bool html = !message.html.empty();
    add(text_head(html ? "html" : "plain"), std::make_unique<TextBytes>(html ? message.html : message.text));
    return {};
  }
  add(multipart("alternative", boundary) + fmt::format("--{}\r\n", boundary) + text_head("plain"),
      std::make_unique<TextBytes>(message.text));
  add(fmt::format("\r\n--{}\r\n", boundary) + text_head("html"), std::make_unique<TextBytes>(message.html));
  add(fmt::format("\r\n--{}--\r\n", boundary), nullptr);
  return {};
}

StepResult<MessageReader> MessageReader::make(Message message, std::uint64_t limit) {
  MessageReader reader(limit);
  SP_TRY(auto head, headers_of(message));
  const auto outer = "=_outer_" + message.id.substr(0, 32), inner = "=_inner_" + message.id.substr(0, 32);
  const bool mixed = !message.attachments.empty();
  if (mixed) head += multipart("mixed", outer) + fmt::format("--{}\r\n", outer);
  reader.add(std::move(head), nullptr);
  SP_CHECK(reader.add_texts(message, inner));
  for (auto& [body, name, type] : message.attachments) {
    SP_TRY(const auto filename, header_filename(name));
    SP_TRY(const auto media_type, header_media_type(type));
    reader.add(fmt::format("\r\n--{}\r\nContent-Type: {}\r\nContent-Disposition: attachment{}\r\n{}", outer, media_type,
                           filename, kBase64),
               std::move(body));
  }
  if (mixed) reader.add(fmt::format("\r\n--{}--\r\n", outer), nullptr);
  return reader;
}

StepResult<void> MessageReader::refill() {
  ready_.clear();
  taken_ = 0;
  std::array<std::byte, kLine * kLines> buffer;
  while (ready_.empty() && at_ < segments_.size()) {
    auto& segment = segments_[at_];
    ready_ = std::exchange(segment.head, {});
    if (!ready_.empty()) break;
    std::size_t size = 0;
    if (segment.body) {
      SP_TRY(size, fill(*segment.body, buffer));
    }
    if (size == 0) ++at_;
    for (std::size_t line = 0; line < size; line += kLine)
      ready_ += base64(std::span(buffer).subspan(line, std::min(kLine, size - line))) + "\r\n";
  }
  given_ += ready_.size();
  if (given_ > limit_)
    return step_fail("too_large", fmt::format("the mail is larger than {} bytes, the limit of `max_size` in "
                                              "connections.yaml or of the local policy (limits.bytes)",
                                              limit_));
  return {};
}

StepResult<std::size_t> MessageReader::read(std::span<std::byte> into) {
  if (taken_ == ready_.size()) SP_CHECK(refill());
  const auto size = std::min(into.size(), ready_.size() - taken_);
  std::memcpy(into.data(), ready_.data() + taken_, size);
  taken_ += size;
  return size;
}

}  // namespace sallyport::connectors::mail
