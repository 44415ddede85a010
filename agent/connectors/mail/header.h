#pragma once

#include "agent/connectors/step_error.h"
#include "shared/base/clock.h"

#include <string>
#include <string_view>
#include <vector>

namespace sallyport::connectors::mail {

// One address of a mail: "ada@example.org" or "Ada Lovelace <ada@example.org>" (RFC 5322, without quoted local parts,
// comments and groups).
struct Mailbox {
  std::string name;     // UTF-8; may be empty
  std::string address;  // ASCII, one `@`
};

// Class "invalid", without the text.
StepResult<Mailbox> parse_mailbox(std::string_view text);

// Everything below is ASCII, has lines of at most 78 characters where they can be broken, and no line break that is not
// its own: what comes from a recipe cannot begin another header.

// Free text, as encoded words (RFC 2047) when it is not plain. Class "invalid" for control characters and what is not
// UTF-8.
StepResult<std::string> header_text(std::string_view text);
// "Name <address>, ...", one to a line.
std::string header_mailboxes(const std::vector<Mailbox>& mailboxes);
// `; filename="..."` or `; filename*=UTF-8''...` (RFC 2231). Class "invalid" for a path, control characters, over 200
// bytes.
StepResult<std::string> header_filename(std::string_view name);
// A media type as it is: "application/pdf". Class "invalid" for anything else.
StepResult<std::string> header_media_type(std::string_view type);
// "Mon, 23 Nov 2026 16:40:00 +0000"
std::string header_date(WallTime at);

}  // namespace sallyport::connectors::mail
