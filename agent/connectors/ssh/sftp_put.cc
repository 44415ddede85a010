#include "agent/connectors/ssh/sftp_access.h"
#include "agent/connectors/ssh/ssh_actions_parts.h"
#include "shared/crypto/digest.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

namespace sallyport::connectors::ssh {
namespace {

using platform::Replace;

constexpr std::size_t kWindow = 1u << 20;  // bytes that may be on their way without an answer
constexpr std::size_t kPiece = 64u << 10;

// The bytes that were read from the source and are not confirmed by the server.
class Unconfirmed {
 public:
  explicit Unconfirmed(ByteReader& source) : source_(source), buffer_(2 * kWindow) {}

  // As many as fit; none are left at the end.
  StepResult<std::span<const std::byte>> fill() {
    while (!ended_ && bytes_.size() < kWindow) {
      const auto begin = static_cast<std::size_t>(end_ - bytes_.size());
      if (begin > 0 && buffer_.size() - end_ < kWindow / 4) {
        std::memmove(buffer_.data(), bytes_.data(), bytes_.size());
        end_ = bytes_.size();
      }
      SP_TRY(const auto got, source_.read(std::span(buffer_).subspan(end_)));
      ended_ = got == 0;
      end_ += got;
      bytes_ = std::span(buffer_).subspan(end_ - got - bytes_.size(), bytes_.size() + got);
    }
    return bytes_;
  }
  void confirm(std::size_t count) { bytes_ = bytes_.subspan(count); }

 private:
  ByteReader& source_;
  std::vector<std::byte> buffer_;
  std::size_t end_ = 0;  // of what was read into the buffer
  std::span<const std::byte> bytes_;
  bool ended_ = false;
};

// A text or bytes of the step's arguments, which outlive it.
class Given final : public ByteReader {
 public:
  explicit Given(std::span<const std::byte> content) : content_(content) {}
  StepResult<std::size_t> read(std::span<std::byte> into) override {
    const auto count = std::min(into.size(), content_.size());
    std::ranges::copy(content_.first(count), into.begin());
    content_ = content_.subspan(count);
    return count;
  }

 private:
  std::span<const std::byte> content_;
};

// A hidden name next to the target, the same for every attempt of this step run and for no other.
std::string temporary_name(const std::string& path, std::string_view key) {
  const auto slash = path.rfind('/');
  const auto cut = slash == std::string::npos ? 0 : slash + 1;
  const auto maker = hex(crypto::sha256(key)).substr(0, 16);
  return fmt::format("{}.{}.partial-{}", path.substr(0, cut), path.substr(cut, 200), maker);
}

class Upload {
 public:
  Upload(Access& access, std::string path, ByteReader& source)
      : access_(access),
        path_(std::move(path)),
        temporary_(temporary_name(path_, access.context().idempotency_key)),
        source_(source) {}

  StepResult<void> run() {
    for (Resumption resumption(access_);;) {
      auto sent = go_on();
      if (sent) return {};
      SP_CHECK(resumption.after(std::move(sent).error(), at_));
    }
  }

  StepResult<void> commit(Replace replace) {
    SP_TRY(auto* const files, access_.files());
    return files->rename(temporary_, path_, replace, access_.limits());
  }

  // What is left when the step failed; of a server that is gone it stays there, hidden.
  void discard() {
    if (!began_) return;
    using namespace std::chrono_literals;
    const CallLimits limits{std::min<SteadyTime>(access_.context().deadline, std::chrono::steady_clock::now() + 2s),
                            {}};
    if (auto files = access_.files()) (void)(*files)->remove(temporary_, limits);
  }
  std::uint64_t size() const { return at_; }

 private:
  StepResult<void> go_on() {
    SP_TRY(auto* const files, access_.files());
    SP_TRY(const auto file, open(*files));
    file->seek(at_);
    SP_CHECK(send(*file));
    SP_CHECK(file->sync(access_.limits()));
    SP_TRY(const auto facts, file->facts(access_.limits()));
    if (facts.file.size != at_)
      return step_fail("changed",
                       fmt::format("{} has {} bytes on the server, and {} were sent", path_, facts.file.size, at_));
    return file->close(access_.limits());
  }

  // What an attempt before this one has left is not trusted: only bytes that this one has seen confirmed count.
  StepResult<std::unique_ptr<RemoteFile>> open(Sftp& files) {
    if (at_ > 0) return files.open(temporary_, Sftp::Mode::go_on, access_.limits());
    SP_TRY(const auto left, files.exists(temporary_, access_.limits()));
    if (left) SP_CHECK(files.remove(temporary_, access_.limits()));
    began_ = true;
    return files.open(temporary_, Sftp::Mode::create_anew, access_.limits());
  }

  StepResult<void> send(RemoteFile& file) {
    for (;;) {
      SP_CHECK(access_.check_going_on());
      SP_TRY(const auto bytes, source_.fill());
      if (bytes.empty()) return {};
      SP_CHECK(access_.check_size(at_ + bytes.size()));
      SP_TRY(const auto confirmed, file.write(bytes, access_.limits()));
      source_.confirm(confirmed);
      at_ += confirmed;
    }
  }

  Access& access_;
  std::string path_, temporary_;
  Unconfirmed source_;
  std::uint64_t at_ = 0;  // confirmed
  bool began_ = false;
};

class SftpPut final : public Action {
 public:
  SftpPut(Site site, ServersPtr servers) : site_(site), servers_(std::move(servers)) {}
  std::string_view name() const override { return "sftp.put@1"; }

  StepResult<Output> run(const StepContext& context, const Value& values) override {
    const Arguments arguments(values);
    SP_TRY(auto access, Access::open(site_, *servers_, context, name()));
    SP_TRY(const auto wanted, arguments.text("path"));
    SP_TRY(const auto path, access.allowed(policy::FileVerb::write, wanted));
    const auto replace = arguments.text_or("if_exists", "fail") == "replace" ? Replace::allowed : Replace::never;
    SP_TRY(const auto source, open_source(arguments, context));
    if (replace == Replace::never) {
      SP_TRY(const auto written, is_written(access, path, *source));
      if (written) return done(path, *written);
    }
    Upload upload(access, path, *source);
    auto sent = upload.run();
    if (sent) sent = upload.commit(replace);
    if (!sent) {
      if (sent.error().error_class() != "in_doubt") upload.discard();
      return std::unexpected(std::move(sent).error());
    }
    return done(path, upload.size());
  }

 private:
  static StepResult<std::unique_ptr<ByteReader>> open_source(const Arguments& arguments, const StepContext& context) {
    if (arguments.find("content") != nullptr) {
      SP_TRY(const auto content, arguments.content("content"));
      return std::make_unique<Given>(content);
    }
    SP_TRY(const auto handle, arguments.handle("source"));
    return context.bodies.open_bytes(handle);
  }

  // After a crash: the file that is there already is this step's own when its content is what would be written. Its
  // size then; otherwise a file that is there is class "constraint".
  static StepResult<std::optional<std::uint64_t>> is_written(Access& access, const std::string& path,
                                                             ByteReader& source) {
    SP_TRY(auto* const files, access.files());
    SP_TRY(const auto taken, files->exists(path, access.limits()));
    if (!taken) return std::nullopt;
    if (access.context().repeated) {
      SP_TRY(const auto size, same_content(access, *files, path, source));
      if (size) return size;
    }
    return step_fail("constraint", fmt::format("{} exists already", path));
  }

  static StepResult<std::optional<std::uint64_t>> same_content(Access& access, Sftp& files, const std::string& path,
                                                               ByteReader& source) {
    SP_TRY(const auto file, files.open(path, Sftp::Mode::read, access.limits()));
    std::vector<std::byte> mine(kPiece), theirs(kPiece);
    for (std::uint64_t total = 0;;) {
      SP_CHECK(access.check_going_on());
      SP_TRY(const auto expected, source.read(mine));
      if (expected == 0) {
        SP_TRY(const auto more, file->read(theirs, access.limits()));
        return more == 0 ? std::optional(total) : std::nullopt;
      }
      for (std::size_t at = 0; at < expected;) {
        SP_TRY(const auto got, file->read(std::span(theirs).first(expected - at), access.limits()));
        const bool same = got > 0 && std::memcmp(mine.data() + at, theirs.data(), got) == 0;
        if (!same) return std::nullopt;
        at += got;
      }
      total += expected;
    }
  }

  static Output done(const std::string& path, std::uint64_t size) {
    return Output{
        Value(ValueMap{{Value("path"), Value(path)}, {Value("size"), Value(static_cast<std::int64_t>(size))}})};
  }

  Site site_;
  ServersPtr servers_;
};

}  // namespace

std::unique_ptr<Action> make_put(Site site, ServersPtr servers) {
  return std::make_unique<SftpPut>(site, std::move(servers));
}

}  // namespace sallyport::connectors::ssh
