// Bodies to and from the server.
#include "agent/connectors/ssh/sftp.h"

#include <cstring>
#include <vector>

namespace sallyport::connectors::ssh {
namespace {

constexpr std::size_t kPiece = 512u << 10;  // libssh2 asks ahead for four times as much
constexpr std::size_t kWindow = 1u << 20;   // bytes that may be on their way without an answer

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

}  // namespace

StepResult<platform::FileFacts> Sftp::read(const std::string& path, std::uint64_t from, const Take& take,
                                           const CallLimits& limits) {
  SP_TRY(const auto file, open(path, Mode::read, limits));
  if (from > 0) file->seek(from);
  std::vector<std::byte> buffer(kPiece);
  for (;;) {
    SP_TRY(const auto got, file->read(buffer, limits));
    if (got == 0) break;
    SP_CHECK(take(std::span(buffer).first(got)));
  }
  SP_TRY(auto now, file->facts(limits));
  SP_CHECK(file->close(limits));
  return std::move(now.file);
}

StepResult<platform::FileFacts> Sftp::write(const std::string& path, std::uint64_t& at, ByteReader& source,
                                            const CallLimits& limits) {
  SP_TRY(const auto file, open(path, at == 0 ? Mode::create_anew : Mode::go_on, limits));
  file->seek(at);
  for (Unconfirmed unconfirmed(source);;) {
    SP_TRY(const auto bytes, unconfirmed.fill());
    if (bytes.empty()) break;
    SP_TRY(const auto confirmed, file->write(bytes, limits));
    unconfirmed.confirm(confirmed);
    at += confirmed;
  }
  SP_CHECK(file->sync(limits));
  SP_TRY(auto now, file->facts(limits));
  SP_CHECK(file->close(limits));
  return std::move(now.file);
}

}  // namespace sallyport::connectors::ssh
