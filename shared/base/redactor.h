#pragma once

#include "shared/base/log.h"
#include "shared/base/result.h"
#include "shared/base/secret.h"

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport {

// The second wall before logs, reports and error texts: replaces every occurrence of the secrets that are in use by
// `***`: as they are, in base64 and base64url at every offset, percent-encoded, in hex, and escaped for JSON with and
// without ASCII. The first wall are labels (value.h), which know where a value came from; this one knows what it looks
// like, and finds it also where no label went. It does not find a part of a secret, nor one that was changed otherwise.
//
// Thread-safe. Finding nothing takes about two nanoseconds a byte, with one secret and with 512.
class Redactor {
 public:
  // Shorter ones are not searched for: three bytes stand in every tenth line by chance, and hiding them there would
  // tell more of them than it hides.
  static constexpr std::size_t kShortest = 4;
  static constexpr std::size_t kMostSecrets = 1'024;
  static constexpr std::size_t kMostBytes = 256u << 10;  // of all secrets together; their forms take twenty times that

  // Searches for it until its owner is forgotten; the same one may have several. Errc::exhausted: over the limits.
  Result<void> add(const std::string& owner, const Secret& secret);
  void forget(const std::string& owner);  // and wipes what nobody else uses

  // The text without them; nullopt when there is none in it.
  std::optional<std::string> redact(std::string_view text) const;

 private:
  struct Forms;
  void rebuild();

  mutable std::mutex mutex_;
  std::map<std::string, std::vector<std::shared_ptr<const Secret>>, std::less<>> owners_;
  std::shared_ptr<const Forms> forms_;  // of all secrets; replaced, never changed
};

// Every form of a secret that a Redactor searches for, without those below kShortest. For it and its tests.
std::vector<Secret> forms_of(const Secret& secret);

// Takes secrets out of every line before it goes on.
class RedactingSink final : public LogSink {
 public:
  RedactingSink(LogSink& to, const Redactor& redactor) : to_(to), redactor_(redactor) {}
  void write(std::string_view line) override {
    const auto redacted = redactor_.redact(line);
    to_.write(redacted ? *redacted : line);
  }

 private:
  LogSink& to_;
  const Redactor& redactor_;
};

}  // namespace sallyport
