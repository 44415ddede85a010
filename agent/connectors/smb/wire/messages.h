#pragma once

#include "shared/base/secret.h"

#include <cstdint>
#include <span>
#include <string>
#include <variant>

// What the agent and its helper program (agent/smb) say to each other over a socket: the agent asks, the helper
// answers, one at a time. Numbers are little-endian. Each message is a length (4 bytes), a kind (1 byte: its place in
// the variant) and the fields in order: numbers of 8 bytes, flags and choices of 1, texts with a length of 4 before
// them, and bytes to the end of the message.
namespace sallyport::connectors::smb::wire {

inline constexpr std::size_t kMostText = 4'096;
inline constexpr std::size_t kMostPiece = std::size_t{1} << 20;      // bytes of a file in one message
inline constexpr std::size_t kMostMessage = kMostPiece + 5 * 4'608;  // without its length

using Bytes = std::span<const std::byte>;  // into the message that was read, or to be sent

// Requests. Paths are those of the share, relative, with "/"; "." is its top.
struct Open {  // first, and once
  std::string host;
  std::uint64_t port = 445;
  std::string share, domain, user;
  Secret password;
  std::uint8_t encrypts = 1;      // else messages are signed only
  std::uint64_t patience_ms = 0;  // for each answer of the server
};
struct Look {
  std::string path;
};
struct List {
  std::string path;
};
enum class Mode : std::uint8_t { read, create, go_on };
struct OpenFile {  // at most one is open
  std::string path;
  Mode mode = Mode::read;
};
struct Read {
  std::uint64_t from = 0, count = 0;
};
struct Write {
  std::uint64_t at = 0;
  Bytes bytes;
};
struct Close {};
struct Rename {  // over a file that is there
  std::string from, to;
};
struct Remove {
  std::string path;
};
using Request = std::variant<Open, Look, List, OpenFile, Read, Write, Close, Rename, Remove>;

// Answers: `Done` or what was asked for; `Failed` to anything. A `List` is answered with entries, then `Done`.
enum class Kind : std::uint8_t { file, directory, other };
enum class Trouble : std::uint8_t {
  internal,
  connection,
  permission,
  not_found,
  exists,
  busy,
  disk_full,
  too_large,
  invalid,
};
inline constexpr auto kLastTrouble = Trouble::invalid;
struct Done {};
struct Failed {
  Trouble trouble = Trouble::internal;
  std::uint64_t number = 0;  // errno
};
struct Facts {
  Kind kind = Kind::other;
  std::uint64_t size = 0;
  std::uint64_t mtime_ns = 0;  // two's complement
};
struct Entry {
  std::string name;
  Facts facts;
};
struct Piece {  // empty at the end of the file
  Bytes bytes;
};
using Answer = std::variant<Done, Failed, Facts, Entry, Piece>;

}  // namespace sallyport::connectors::smb::wire
