#pragma once

#include "agent/connectors/remote/files.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// What servers list, line by line, without its end. Nothing of it is trusted: names are judged by
// remote::judge_name(), and what cannot be read is nullopt. No IO.
namespace sallyport::connectors::ftps {

struct Listed {
  std::string name;
  remote::Facts facts;
  bool has_time = false;  // `facts.file.mtime_ns` holds, to the second or better, in UTC
};

// "type=file;size=3;modify=20260102030405; name", of MLSD and MLST (RFC 3659 section 7).
std::optional<Listed> parse_facts(std::string_view line);

// A line of LIST as `ls -l` or Windows' `dir` write it: kind, size and name. Their times are in nobody knows which
// zone, and are not read. nullopt inside: a line that is no entry ("total 8").
std::optional<std::optional<Listed>> parse_list(std::string_view line);

// "20260102030405.678" (RFC 3659 section 2.3), in nanoseconds since 1970.
std::optional<std::int64_t> parse_time(std::string_view text);
std::optional<std::uint64_t> parse_size(std::string_view text);

}  // namespace sallyport::connectors::ftps
