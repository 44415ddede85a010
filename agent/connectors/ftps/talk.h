#pragma once

#include "agent/connectors/step_error.h"

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::connectors::ftps {

// What a server answered to one command (RFC 959 section 4.2).
struct Reply {
  int code = 0;                    // 0: it did not
  std::vector<std::string> lines;  // without the code; of several the ones between as they came

  bool is_good() const { return code >= 200 && code < 300; }
};

// Follows the conversation on a control connection: what was sent and what came, in pieces of any size. Keeps the
// replies to the commands that it was told to expect, and of all others the last code. What was sent otherwise, a
// password perhaps, is not kept. No IO.
class Talk {
 public:
  static constexpr std::size_t kMostLine = 8192;
  static constexpr std::size_t kMostKept = 256u << 10;  // bytes of all replies together

  explicit Talk(std::span<const std::string> expected = {}) : expected_(expected.begin(), expected.end()) {}

  void sent(std::string_view command);
  void received(std::string_view bytes);

  const std::vector<Reply>& replies() const { return replies_; }  // to the expected ones, as far as they were sent
  // The last command of all got a final reply.
  bool is_answered() const { return answered_; }
  int last_code() const { return last_code_; }  // of the last final reply of all, 0 before the first
  bool is_flooded() const { return flooded_; }  // the server said more than is kept

 private:
  void take_line(std::string_view line);
  void keep(std::string_view text);

  std::vector<std::string> expected_;
  std::vector<Reply> replies_;
  std::string line_;
  std::size_t kept_ = 0;
  int last_code_ = 0;
  bool ours_ = false, answered_ = true, flooded_ = false;
};

enum class Asking { lookup, work };  // what 550 means: nothing is there, or it is not permitted

// A reply that refuses, as an error: connection (may work later), permission, not_found, disk_full, invalid. What the
// server says besides may quote anything and is not used.
StepError reply_error(int code, Asking asking);

// The path in a reply to PWD, RFC 959 appendix II; class "format" when there is none.
StepResult<std::string> path_in(const Reply& reply);

}  // namespace sallyport::connectors::ftps
