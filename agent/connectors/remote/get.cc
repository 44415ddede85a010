#include "agent/connectors/remote/remote_actions_parts.h"
#include "shared/crypto/digest.h"

#include <fmt/format.h>

#include <optional>
#include <span>

namespace sallyport::connectors::remote {
namespace {

// One file on its way into a spool. Where a connection breaks the next one goes on, as long as size and time of the
// file stay what they were.
class Download {
 public:
  Download(Access& access, std::string path, BodyWriter& into, bool with_digest)
      : access_(access), path_(std::move(path)), into_(into) {
    if (with_digest) hash_.emplace();
  }

  StepResult<platform::FileFacts> run() {
    for (Resumption resumption(access_);;) {
      auto done = go_on();
      if (done) return facts_;
      SP_CHECK(resumption.after(std::move(done).error(), at_));
    }
  }
  std::optional<std::string> digest() { return hash_ ? std::optional(hex(hash_->finish())) : std::nullopt; }

 private:
  StepResult<void> go_on() {
    SP_TRY(auto* const files, access_.files());
    SP_CHECK(look(*files));
    SP_TRY(const auto now,
           files->read(path_, at_, [this](std::span<const std::byte> piece) { return take(piece); }, access_.limits()));
    if (now != facts_ || at_ != facts_.size) return changed();
    return {};
  }

  StepResult<void> look(Files& files) {
    SP_TRY(const auto now, files.file_facts(path_, access_.limits()));
    SP_CHECK(access_.check_size(now.size));
    if (looked_ && facts_ != now) return changed();
    facts_ = now;
    looked_ = true;
    return {};
  }

  StepResult<void> take(std::span<const std::byte> piece) {
    SP_CHECK(access_.check_going_on());
    if (piece.size() > facts_.size - at_) return changed();
    if (hash_) hash_->update(piece);
    SP_CHECK(into_.write(piece));
    at_ += piece.size();
    return {};
  }

  std::unexpected<StepError> changed() const {
    return step_fail("changed", fmt::format("{} changed while it was read", path_));
  }

  Access& access_;
  std::string path_;
  BodyWriter& into_;
  std::optional<crypto::Sha256> hash_;
  platform::FileFacts facts_;  // as it was when it was first looked at
  bool looked_ = false;
  std::uint64_t at_ = 0;
};

class Get final : public RemoteAction {
 public:
  using RemoteAction::RemoteAction;

  StepResult<Output> run_on(Access& access, const Arguments& arguments) const override {
    SP_TRY(const auto wanted, arguments.text("path"));
    SP_TRY(const auto path, access.allowed(policy::FileVerb::read, wanted));
    SP_TRY(const auto spool, access.context().bodies.new_spool("application/octet-stream"));
    Download download(access, path, *spool, arguments.is_true("sha256"));
    SP_TRY(const auto facts, download.run());
    ValueMap attributes{{Value("path"), Value(path)}, {Value("name"), Value(path.substr(path.rfind('/') + 1))}};
    SP_TRY(auto body, spool->commit(attributes));
    const auto digest = download.digest();
    return Output{Value(ValueMap{{Value("body"), Value(std::move(body))},
                                 {Value("size"), Value(static_cast<std::int64_t>(facts.size))},
                                 {Value("mtime"), Value(rfc3339(from_unix_ms(facts.mtime_ns / 1'000'000)))},
                                 {Value("sha256"), digest ? Value(*digest) : Value()}})};
  }
};

}  // namespace

std::unique_ptr<Action> make_get(const Site& site, ServersPtr servers, std::string name) {
  return std::make_unique<Get>(site, std::move(servers), std::move(name));
}

}  // namespace sallyport::connectors::remote
