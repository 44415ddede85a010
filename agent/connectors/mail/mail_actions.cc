#include "agent/connectors/mail/mail_actions.h"

#include "agent/connectors/arguments.h"
#include "agent/connectors/libcurl.h"
#include "agent/connectors/mail/message.h"
#include "agent/connectors/mail/smtp.h"
#include "agent/connectors/translate.h"
#include "shared/base/text.h"
#include "shared/crypto/digest.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::connectors::mail {
namespace {

constexpr std::size_t kMostRecipients = 100;
constexpr std::size_t kMostAttachments = 50;

StepResult<std::vector<Mailbox>> mailboxes(const Arguments& arguments, std::string_view name) {
  std::vector<Mailbox> found;
  const auto* value = arguments.find(name);
  if (value == nullptr) return found;
  const ValueList one{*value};
  for (const auto& item : value->is(Value::Kind::list) ? value->as_list() : one) {
    auto mailbox =
        item.is(Value::Kind::string) ? parse_mailbox(item.as_string()) : step_fail("invalid", "an address is a text");
    if (!mailbox) return step_in_context(name, std::move(mailbox).error());
    found.push_back(*std::move(mailbox));
  }
  return found;
}

StepResult<Mailbox> sender_of(const Arguments& arguments, const policy::SmtpConnection& settings,
                              std::string_view connection) {
  SP_TRY(const auto given, mailboxes(arguments, "from"));
  if (given.size() > 1) return step_fail("invalid", "a mail is from one address");
  if (given.empty()) return parse_mailbox(settings.from.front());
  const auto is_ours = [&](const std::string& text) {
    const auto allowed = parse_mailbox(text);
    return allowed && allowed->address == given.front().address;
  };
  if (std::ranges::any_of(settings.from, is_ours)) return given.front();
  const auto rule = fmt::format("connections.yaml {}.from", connection);
  return std::unexpected(
      StepError{{"policy"}, fmt::format("the connection does not send from this address ({})", rule), rule});
}

StepResult<std::vector<Attachment>> attachments_of(const Arguments& arguments, Bodies& bodies) {
  std::vector<Attachment> found;
  const auto* list = arguments.find("attachments");
  if (list == nullptr) return found;
  if (!list->is(Value::Kind::list) || list->as_list().size() > kMostAttachments)
    return step_fail("invalid", fmt::format("`attachments` is a list of at most {}", kMostAttachments));
  for (const auto& item : list->as_list()) {
    const Arguments one(item);
    SP_TRY(const auto handle, one.handle("body"));
    SP_TRY(auto name, one.text("name"));
    SP_TRY(auto body, bodies.open_bytes(handle));
    found.push_back({std::move(body), std::move(name), one.text_or("type", "application/octet-stream")});
  }
  return found;
}

// The same for every run of a step: by it receivers know that they have the mail already.
std::string message_id(std::string_view key, const Mailbox& from) {
  const auto digest = crypto::sha256(as_bytes(key));
  return hex(std::span(digest).first(16)) + from.address.substr(from.address.find('@'));
}

class MailSend final : public Action {
 public:
  explicit MailSend(Site site) : site_(site) {}
  std::string_view name() const override { return "mail.send@1"; }

  StepResult<Output> run(const StepContext& context, const Value& values) override {
    const Arguments arguments(values);
    SP_CHECK(check_allowed(site_, context, name()));
    SP_TRY(const auto* connection, find_connection(site_, context.connection, "smtp"));
    const auto& settings = *connection->smtp();
    Envelope envelope;
    SP_TRY(auto message, read(context, arguments, settings, envelope));
    const auto id = message.id;
    const auto limit = std::min(settings.max_size, site_.policy.limits(context.connection).bytes);
    SP_TRY(auto reader, MessageReader::make(std::move(message), limit));
    auto sent = send(settings, site_.vault, envelope, reader, {context.deadline, context.stop});
    if (!sent) return std::unexpected(told(context, std::move(sent).error()));
    return Output{Value(ValueMap{{Value("message_id"), Value(id)},
                                 {Value("recipients"), Value(static_cast<std::int64_t>(envelope.to.size()))}})};
  }

 private:
  StepResult<Message> read(const StepContext& context, const Arguments& arguments,
                           const policy::SmtpConnection& settings, Envelope& envelope) const {
    Message message;
    SP_TRY(message.from, sender_of(arguments, settings, context.connection));
    SP_TRY(message.to, mailboxes(arguments, "to"));
    SP_TRY(message.cc, mailboxes(arguments, "cc"));
    SP_TRY(message.reply_to, mailboxes(arguments, "reply_to"));
    SP_TRY(auto bcc, mailboxes(arguments, "bcc"));
    envelope.from = message.from.address;
    for (auto* list : {&message.to, &message.cc, &bcc}) {
      for (const auto& mailbox : *list) {
        SP_CHECK(to_step(site_.policy.check_recipient(context.connection, mailbox.address)));
        envelope.to.push_back(mailbox.address);
      }
    }
    if (envelope.to.empty() || envelope.to.size() > kMostRecipients)
      return step_fail("invalid", fmt::format("a mail has 1 to {} recipients", kMostRecipients));
    SP_TRY(message.subject, arguments.text("subject"));
    message.text = arguments.text_or("text", "");
    message.html = arguments.text_or("html", "");
    SP_TRY(message.attachments, attachments_of(arguments, context.bodies));
    message.id = message_id(context.idempotency_key, message.from);
    message.date = site_.clock.wall();
    return message;
  }

  // Host and user are settings; the reply code and what stopped the step are not.
  StepError told(const StepContext& context, StepError error) const {
    const bool of_settings = error.error_class() == "connection" || error.error_class() == "permission" ||
                             error.error_class() == "not_found";
    if (!of_settings) return error;
    return without_settings(site_.log, context.connection, "connecting to", std::move(error));
  }

  Site site_;
};

}  // namespace

std::vector<std::unique_ptr<Action>> make_actions(Site site) {
  std::vector<std::unique_ptr<Action>> actions;
  actions.push_back(std::make_unique<MailSend>(site));
  return actions;
}

}  // namespace sallyport::connectors::mail
