#pragma once

#include "agent/connectors/arguments.h"
#include "agent/policy/http_url.h"

#include <string>
#include <string_view>
#include <vector>

namespace sallyport::connectors::http {

// What is asked for at the origin of a connection. Nothing but an origin's own path and query can be written in it.
struct Target {
  std::vector<std::string> segments;  // of the whole path, decoded: what the policy judges
  std::string text;                   // path and query as they are sent

  friend bool operator==(const Target&, const Target&) = default;
};

// Below `base`: `path` with its placeholders `{name}` filled from the map `params`, and the map `query`. A value is one
// segment or a part of one, whatever is in it: what some server would read as more (a slash, a backslash, a control
// character, ".", "..") is class "invalid".
StepResult<Target> make_target(const policy::HttpUrl& base, std::string_view path, const Value* params,
                               const Value* query);

// Where `reference` (of a Location or Link header) leads from there, by libcurl's own reading of URLs, which must be
// loaded. Class "invalid" for another origin, and for a path that servers read in more than one way.
StepResult<Target> follow_reference(const policy::HttpUrl& base, const Target& from, std::string_view reference);

// The target of the first link with the relation "next" (RFC 8288); "" when there is none.
std::string next_link(std::string_view header);

}  // namespace sallyport::connectors::http
