#include "agent/connectors/remote/remote_actions_parts.h"
#include "shared/crypto/digest.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <memory>
#include <vector>

namespace sallyport::connectors::remote {
namespace {

using platform::Replace;

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

// What the step puts: `content`, or the body `source`. May be read several times.
StepResult<std::unique_ptr<ByteReader>> open_source(const Arguments& arguments, const StepContext& context) {
  if (arguments.find("content") != nullptr) {
    SP_TRY(const auto content, arguments.content("content"));
    return std::make_unique<Given>(content);
  }
  SP_TRY(const auto handle, arguments.handle("source"));
  return context.bodies.open_bytes(handle);
}

// A source from the byte `at` on, within the policy's limit and the step's time.
class Bounded final : public ByteReader {
 public:
  Bounded(const Access& access, ByteReader& source, std::uint64_t at) : access_(access), source_(source), at_(at) {}
  StepResult<std::size_t> read(std::span<std::byte> into) override {
    SP_CHECK(access_.check_going_on());
    SP_TRY(const auto got, source_.read(into));
    at_ += got;
    SP_CHECK(access_.check_size(at_));
    return got;
  }

 private:
  const Access& access_;
  ByteReader& source_;
  std::uint64_t at_;
};

// At most 200 bytes from its beginning, whole characters: servers take no part of one for a name.
std::string_view beginning_of(std::string_view name) {
  constexpr std::size_t kMost = 200;
  if (name.size() <= kMost) return name;
  auto size = kMost;
  while (size > 0 && (static_cast<unsigned char>(name[size]) & 0xC0) == 0x80) --size;
  return name.substr(0, size);
}

// A hidden name next to the target, the same for every attempt of this step run and for no other.
std::string temporary_name(const std::string& path, std::string_view key) {
  const auto slash = path.rfind('/');
  const auto cut = slash == std::string::npos ? 0 : slash + 1;
  const auto maker = hex(crypto::sha256(key)).substr(0, 16);
  return fmt::format("{}.{}.partial-{}", path.substr(0, cut), beginning_of(std::string_view(path).substr(cut)), maker);
}

class Upload {
 public:
  Upload(Access& access, std::string path, const Arguments& arguments)
      : access_(access),
        path_(std::move(path)),
        temporary_(temporary_name(path_, access.context().idempotency_key)),
        arguments_(arguments) {}

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
  // What an attempt before this one has left is not trusted: only bytes that this one has sent count.
  StepResult<void> go_on() {
    SP_TRY(auto* const files, access_.files());
    if (at_ > 0) {
      SP_TRY(at_, files->reached(temporary_, at_, access_.limits()));
    }
    if (at_ == 0) SP_CHECK(clear(*files));
    began_ = true;
    SP_TRY(const auto source, open_source(arguments_, access_.context()));
    SP_TRY(const auto skipped, source->skip(at_));
    if (skipped != at_) return step_fail("changed", "the source is shorter than it was");
    Bounded bounded(access_, *source, at_);
    SP_TRY(const auto facts, files->write(temporary_, at_, bounded, access_.limits()));
    if (facts.size == at_) return {};
    return step_fail("changed", fmt::format("{} has {} bytes on the server, and {} were sent", path_, facts.size, at_));
  }

  StepResult<void> clear(Files& files) {
    SP_TRY(const auto left, files.exists(temporary_, access_.limits()));
    return left ? files.remove(temporary_, access_.limits()) : StepResult<void>{};
  }

  Access& access_;
  std::string path_, temporary_;
  const Arguments& arguments_;
  std::uint64_t at_ = 0;
  bool began_ = false;
};

// Whether a file on the server holds what a source gives, piece by piece.
class Comparison {
 public:
  Comparison(const Access& access, ByteReader& source) : access_(access), source_(source) {}

  StepResult<bool> run(Files& files, const std::string& path) {
    const auto compared =
        files.read(path, 0, [this](std::span<const std::byte> theirs) { return take(theirs); }, access_.limits());
    if (differs_) return false;
    if (!compared) return std::unexpected(compared.error());
    std::byte more;
    SP_TRY(const auto left, source_.read(std::span(&more, 1)));
    return left == 0;
  }
  std::uint64_t size() const { return size_; }

 private:
  StepResult<void> take(std::span<const std::byte> theirs) {
    SP_CHECK(access_.check_going_on());
    size_ += theirs.size();
    mine_.resize(theirs.size());
    while (!theirs.empty()) {
      SP_TRY(const auto got, source_.read(std::span(mine_).first(theirs.size())));
      differs_ = got == 0 || std::memcmp(mine_.data(), theirs.data(), got) != 0;
      if (differs_) return step_fail("constraint", "it holds something else");
      theirs = theirs.subspan(got);
    }
    return {};
  }

  const Access& access_;
  ByteReader& source_;
  std::vector<std::byte> mine_;
  std::uint64_t size_ = 0;
  bool differs_ = false;
};

class Put final : public RemoteAction {
 public:
  using RemoteAction::RemoteAction;

  StepResult<Output> run_on(Access& access, const Arguments& arguments) const override {
    SP_TRY(const auto wanted, arguments.text("path"));
    SP_TRY(const auto path, access.allowed(policy::FileVerb::write, wanted));
    const auto replace = arguments.text_or("if_exists", "fail") == "replace" ? Replace::allowed : Replace::never;
    if (replace == Replace::never) {
      SP_TRY(const auto written, is_written(access, path, arguments));
      if (written) return done(path, *written);
    }
    Upload upload(access, path, arguments);
    auto sent = upload.run();
    if (sent) sent = upload.commit(replace);
    if (!sent) {
      if (sent.error().error_class() != "in_doubt") upload.discard();
      return std::unexpected(std::move(sent).error());
    }
    return done(path, upload.size());
  }

 private:
  // After a crash: the file that is there already is this step's own when its content is what would be written. Its
  // size then; otherwise a file that is there is class "constraint".
  static StepResult<std::optional<std::uint64_t>> is_written(Access& access, const std::string& path,
                                                             const Arguments& arguments) {
    SP_TRY(auto* const files, access.files());
    SP_TRY(const auto taken, files->exists(path, access.limits()));
    if (!taken) return std::nullopt;
    if (access.context().repeated) {
      SP_TRY(const auto source, open_source(arguments, access.context()));
      Comparison comparison(access, *source);
      SP_TRY(const auto same, comparison.run(*files, path));
      if (same) return comparison.size();
    }
    return step_fail("constraint", fmt::format("{} exists already", path));
  }

  static Output done(const std::string& path, std::uint64_t size) {
    return Output{
        Value(ValueMap{{Value("path"), Value(path)}, {Value("size"), Value(static_cast<std::int64_t>(size))}})};
  }
};

}  // namespace

std::unique_ptr<Action> make_put(const Site& site, ServersPtr servers, std::string name) {
  return std::make_unique<Put>(site, std::move(servers), std::move(name));
}

}  // namespace sallyport::connectors::remote
