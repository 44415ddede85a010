#pragma once

#include "agent/connectors/smb/wire/messages.h"

#include <expected>
#include <functional>
#include <memory>
#include <span>
#include <string>

namespace sallyport::smb {

namespace wire = connectors::smb::wire;

template <class T = void>
using Outcome = std::expected<T, wire::Failed>;

// One share of a server, by libsmbclient: SMB 3 or nothing, encrypted, or signed, as it is told; never as a guest, and
// with no settings but its own. One file is open at a time. Blocks; the server has `patience_ms` for each answer.
class Share {
 public:
  // Connects and logs in.
  static Outcome<std::unique_ptr<Share>> open(const wire::Open& settings);
  virtual ~Share() = default;

  virtual Outcome<wire::Facts> look(const std::string& path) = 0;
  virtual Outcome<> list(const std::string& path, const std::function<bool(const wire::Entry&)>& tell) = 0;
  virtual Outcome<> open_file(const std::string& path, wire::Mode mode) = 0;
  virtual Outcome<std::size_t> read(std::uint64_t from, std::span<std::byte> into) = 0;  // 0: the end
  virtual Outcome<> write(std::uint64_t at, wire::Bytes bytes) = 0;
  virtual Outcome<> close() = 0;
  virtual Outcome<> rename(const std::string& from, const std::string& to) = 0;
  virtual Outcome<> remove(const std::string& path) = 0;
};

}  // namespace sallyport::smb
