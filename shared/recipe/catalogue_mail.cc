#include "shared/recipe/catalogue_tables.h"

namespace sallyport::recipe::tables {
namespace {

constexpr std::array kKinds{"smtp"sv};
constexpr std::array kErrors{"connection"sv, "timeout"sv,   "policy"sv,  "invalid"sv,   "not_found"sv, "constraint"sv,
                             "permission"sv, "too_large"sv, "changed"sv, "disk_full"sv, "format"sv,    "in_doubt"sv};

constexpr std::array kInAttachment{
    Field{.name = "body", .types = Types::body, .traits = Traits::required, .doc = "its content"},
    Field{.name = "name", .traits = Traits::required, .doc = "the name of the file, without a path"},
    Field{.name = "type", .doc = "its media type", .default_json = "\"application/octet-stream\""}};

constexpr std::array kFields{
    Field{.name = "to",
          .types = Types::text | Types::list,
          .doc = "an address, or a list: `ada@example.org`, `Ada <ada@example.org>`"},
    Field{.name = "cc", .types = Types::text | Types::list, .doc = "who gets it besides, for all to see"},
    Field{.name = "bcc", .types = Types::text | Types::list, .doc = "who gets it besides, unseen"},
    Field{.name = "from", .doc = "one of the connection's `from`; without it the first of them"},
    Field{.name = "reply_to", .types = Types::text | Types::list, .doc = "where answers go"},
    Field{.name = "subject", .traits = Traits::required, .doc = "one line"},
    Field{.name = "text", .doc = "the mail as plain text"},
    Field{.name = "html", .doc = "the mail as HTML; with `text` both are sent, for the reader to choose"},
    Field{.name = "attachments", .types = Types::list, .doc = "files, read as they are sent", .inside = kInAttachment}};

constexpr std::array kOutput{
    OutputField{"message_id", Types::text, "the mail's Message-ID, the same for every run of the step"},
    OutputField{"recipients", Types::integer, "how many the server has taken it for: all, or the step fails"}};

constexpr std::array kActions{
    ActionInfo{.name = "mail.send@1",
               .doc = "Sends a mail to all its recipients or to none.",
               .connections = kKinds,
               .fields = kFields,
               .output = kOutput,
               .effect = Effect::write,
               .repeat = Repeat::unknown,
               .error_classes = kErrors,
               .dry_run = DryRun::planned},
};

}  // namespace

std::span<const ActionInfo> mail() { return kActions; }

}  // namespace sallyport::recipe::tables
