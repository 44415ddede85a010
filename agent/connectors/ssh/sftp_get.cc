#include "agent/connectors/ssh/sftp_access.h"
#include "agent/connectors/ssh/ssh_actions_parts.h"
#include "shared/crypto/digest.h"

#include <fmt/format.h>

#include <optional>
#include <vector>

namespace sallyport::connectors::ssh {
namespace {

// libssh2 asks ahead for four times as much.
constexpr std::size_t kPiece = 512u << 10;

// One file on its way into a spool. Where a connection breaks the next one goes on, as long as size and time of the
// file stay what they were.
class Download {
 public:
  Download(Access& access, std::string path, BodyWriter& into, bool with_digest)
      : access_(access), path_(std::move(path)), into_(into), buffer_(kPiece) {
    if (with_digest) hash_.emplace();
  }

  StepResult<platform::FileFacts> run() {
    for (Resumption resumption(access_);;) {
      auto done = go_on();
      if (done) return *facts_;
      SP_CHECK(resumption.after(std::move(done).error(), at_));
    }
  }
  std::optional<std::string> digest() { return hash_ ? std::optional(hex(hash_->finish())) : std::nullopt; }

 private:
  StepResult<void> go_on() {
    SP_TRY(auto* const files, access_.files());
    SP_CHECK(look(*files));
    SP_TRY(const auto file, files->open(path_, Sftp::Mode::read, access_.limits()));
    if (at_ > 0) file->seek(at_);
    SP_CHECK(copy(*file));
    SP_TRY(const auto now, file->facts(access_.limits()));
    if (now.file != *facts_ || at_ != facts_->size) return changed();
    return file->close(access_.limits());
  }

  StepResult<void> look(Sftp& files) {
    SP_TRY(const auto now, files.file_facts(path_, access_.limits()));
    SP_CHECK(access_.check_size(now.size));
    if (facts_ && *facts_ != now) return changed();
    facts_ = now;
    return {};
  }

  StepResult<void> copy(RemoteFile& file) {
    for (;;) {
      SP_CHECK(access_.check_going_on());
      SP_TRY(const auto got, file.read(buffer_, access_.limits()));
      if (got == 0) return {};
      if (got > facts_->size - at_) return changed();
      const auto piece = std::span(buffer_).first(got);
      if (hash_) hash_->update(piece);
      SP_CHECK(into_.write(piece));
      at_ += got;
    }
  }

  std::unexpected<StepError> changed() const {
    return step_fail("changed", fmt::format("{} changed while it was read", path_));
  }

  Access& access_;
  std::string path_;
  BodyWriter& into_;
  std::vector<std::byte> buffer_;
  std::optional<crypto::Sha256> hash_;
  std::optional<platform::FileFacts> facts_;
  std::uint64_t at_ = 0;
};

class SftpGet final : public Action {
 public:
  SftpGet(Site site, ServersPtr servers) : site_(site), servers_(std::move(servers)) {}
  std::string_view name() const override { return "sftp.get@1"; }

  StepResult<Output> run(const StepContext& context, const Value& values) override {
    const Arguments arguments(values);
    SP_TRY(auto access, Access::open(site_, *servers_, context, name()));
    SP_TRY(const auto wanted, arguments.text("path"));
    SP_TRY(const auto path, access.allowed(policy::FileVerb::read, wanted));
    SP_TRY(const auto spool, context.bodies.new_spool("application/octet-stream"));
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

 private:
  Site site_;
  ServersPtr servers_;
};

}  // namespace

std::unique_ptr<Action> make_get(Site site, ServersPtr servers) {
  return std::make_unique<SftpGet>(site, std::move(servers));
}

}  // namespace sallyport::connectors::ssh
