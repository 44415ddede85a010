#include "agent/smb/share.h"

#include "agent/smb/configuration.h"
#include "agent/smb/line_guard.h"

#include <fcntl.h>
#include <libsmbclient.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>

namespace sallyport::smb {
namespace {

constexpr unsigned kDirectory = 0x10, kReparsePoint = 0x400;  // [MS-FSCC] 2.6
constexpr mode_t kNewFile = 0640;

std::unexpected<wire::Failed> failed(int error) {
  return std::unexpected(wire::Failed{trouble_of(error), static_cast<std::uint64_t>(error)});
}
std::unexpected<wire::Failed> failed() { return failed(errno); }

std::uint64_t nanoseconds(const timespec& time) {
  constexpr std::int64_t kSecond = 1'000'000'000, kMost = std::numeric_limits<std::int64_t>::max() / kSecond - 1;
  const auto seconds = std::clamp<std::int64_t>(time.tv_sec, -kMost, kMost);  // a server may say what it likes
  return static_cast<std::uint64_t>(seconds * kSecond + std::clamp<std::int64_t>(time.tv_nsec, 0, kSecond - 1));
}

wire::Facts facts_from(wire::Kind kind, std::uint64_t size, const timespec& changed) {
  return {.kind = kind, .size = size, .mtime_ns = nanoseconds(changed)};
}

wire::Kind kind_in(mode_t mode) {
  if (S_ISDIR(mode)) return wire::Kind::directory;
  return S_ISREG(mode) ? wire::Kind::file : wire::Kind::other;
}

// Of an entry of a directory: of links and junctions nobody says where they lead.
wire::Kind kind_among(unsigned attributes) {
  if ((attributes & kReparsePoint) != 0) return wire::Kind::other;
  return (attributes & kDirectory) != 0 ? wire::Kind::directory : wire::Kind::file;
}

void copy_text(std::string_view text, char* into, int size) {
  const auto count = std::min(text.size(), static_cast<std::size_t>(size) - 1);
  std::memcpy(into, text.data(), count);
  into[count] = '\0';
}

void tell_login(SMBCCTX* context, const char* server, const char* share, char* domain, int domain_size, char* user,
                int user_size, char* password, int password_size);

class ShareOfServer final : public Share {
 public:
  explicit ShareOfServer(const wire::Open& settings) : settings_(settings) {}
  ShareOfServer(const ShareOfServer&) = delete;
  ShareOfServer& operator=(const ShareOfServer&) = delete;
  ~ShareOfServer() override {
    if (context_ != nullptr) smbc_free_context(context_, 1);
  }

  Outcome<> connect() {
    if (auto configured = configure(); !configured) return configured;
    if (settings_.encrypts != 0) line_guard().require_encryption();
    if (auto top = look("."); !top) return std::unexpected(top.error());
    if (!line_guard().has_seen_all()) return std::unexpected(wire::Failed{wire::Trouble::internal, EPROTO});
    return {};
  }

  Outcome<wire::Facts> look(const std::string& path) override {
    struct stat found{};
    if (smbc_getFunctionStat(context_)(context_, url(path).c_str(), &found) != 0) return failed();
    return facts_from(kind_in(found.st_mode), static_cast<std::uint64_t>(found.st_size), found.st_mtim);
  }

  Outcome<> list(const std::string& path, const std::function<bool(const wire::Entry&)>& tell) override {
    auto* const directory = smbc_getFunctionOpendir(context_)(context_, url(path).c_str());
    if (directory == nullptr) return failed();
    bool goes_on = true;
    for (struct stat status{}; goes_on;) {
      const auto* const entry = smbc_getFunctionReaddirPlus2(context_)(context_, directory, &status);
      if (entry == nullptr) break;
      const std::string name(entry->name);
      if (name == "." || name == ".." || name.size() > wire::kMostText) continue;
      goes_on = tell({name, facts_from(kind_among(entry->attrs), entry->size, entry->mtime_ts)});
    }
    smbc_getFunctionClosedir(context_)(context_, directory);
    return {};
  }

  Outcome<> open_file(const std::string& path, wire::Mode mode) override {
    if (file_ != nullptr) return failed(EINVAL);
    const int flags = mode == wire::Mode::read     ? O_RDONLY
                      : mode == wire::Mode::create ? O_WRONLY | O_CREAT | O_EXCL
                                                   : O_WRONLY;
    file_ = smbc_getFunctionOpen(context_)(context_, url(path).c_str(), flags, kNewFile);
    if (file_ == nullptr) return failed();
    at_ = 0;
    return {};
  }

  Outcome<std::size_t> read(std::uint64_t from, std::span<std::byte> into) override {
    if (auto there = go_to(from); !there) return std::unexpected(there.error());
    const auto got = smbc_getFunctionRead(context_)(context_, file_, into.data(), into.size());
    if (got < 0) return failed();
    at_ += static_cast<std::uint64_t>(got);
    return static_cast<std::size_t>(got);
  }

  Outcome<> write(std::uint64_t at, wire::Bytes bytes) override {
    if (auto there = go_to(at); !there) return there;
    while (!bytes.empty()) {
      const auto done = smbc_getFunctionWrite(context_)(context_, file_, bytes.data(), bytes.size());
      if (done < 0) return failed();
      if (done == 0) return failed(EIO);
      at_ += static_cast<std::uint64_t>(done);
      bytes = bytes.subspan(static_cast<std::size_t>(done));
    }
    return {};
  }

  Outcome<> close() override {
    if (file_ == nullptr) return {};
    auto* const file = std::exchange(file_, nullptr);
    if (smbc_getFunctionClose(context_)(context_, file) != 0) return failed();
    return {};
  }

  Outcome<> rename(const std::string& from, const std::string& to) override {
    if (smbc_getFunctionRename(context_)(context_, url(from).c_str(), context_, url(to).c_str()) != 0) return failed();
    return {};
  }

  Outcome<> remove(const std::string& path) override {
    if (smbc_getFunctionUnlink(context_)(context_, url(path).c_str()) != 0) return failed();
    return {};
  }

  const wire::Open& settings() const { return settings_; }

 private:
  Outcome<> configure() {
    context_ = smbc_new_context();
    if (context_ == nullptr) return failed();
    smbc_setOptionUserData(context_, this);
    smbc_setFunctionAuthDataWithContext(context_, tell_login);
    smbc_setOptionUseKerberos(context_, 0);
    smbc_setOptionNoAutoAnonymousLogin(context_, 1);
    smbc_setOptionOneSharePerServer(context_, 1);
    smbc_setOptionUrlEncodeReaddirEntries(context_, 0);
    smbc_setTimeout(context_, static_cast<int>(settings_.patience_ms));
    smbc_setPort(context_, static_cast<std::uint16_t>(settings_.port));
    if (smbc_init_context(context_) == nullptr) return failed();
    if (auto read = read_configuration(); !read) return read;
    smbc_setOptionSmbEncryptionLevel(context_,
                                     settings_.encrypts != 0 ? SMBC_ENCRYPTLEVEL_REQUIRE : SMBC_ENCRYPTLEVEL_DEFAULT);
    if (smbc_setOptionProtocols(context_, "SMB3_00", "SMB3_11") == 0) return failed(EINVAL);
    return {};
  }

  Outcome<> read_configuration() {
    const int file = ::memfd_create("smb.conf", MFD_CLOEXEC);
    const auto text = configuration_for(settings_);
    if (file < 0 || ::write(file, text.data(), text.size()) != static_cast<ssize_t>(text.size())) return failed();
    const auto path = "/proc/self/fd/" + std::to_string(file);
    const int code = smbc_setConfiguration(context_, path.c_str());
    ::close(file);
    if (code != 0) return failed(EINVAL);
    return {};
  }

  std::string url(const std::string& path) const { return url_of(settings_, path); }

  Outcome<> go_to(std::uint64_t at) {
    if (file_ == nullptr) return failed(EINVAL);
    if (at == at_) return {};
    if (smbc_getFunctionLseek(context_)(context_, file_, static_cast<off_t>(at), SEEK_SET) < 0) return failed();
    at_ = at;
    return {};
  }

  const wire::Open& settings_;
  SMBCCTX* context_ = nullptr;
  SMBCFILE* file_ = nullptr;
  std::uint64_t at_ = 0;  // where it is
};

// NOLINTNEXTLINE(readability-function-size): the library's signature
void tell_login(SMBCCTX* context, const char*, const char*, char* domain, int domain_size, char* user, int user_size,
                char* password, int password_size) {
  const auto& settings = static_cast<ShareOfServer*>(smbc_getOptionUserData(context))->settings();
  copy_text(settings.domain, domain, domain_size);
  copy_text(settings.user, user, user_size);
  copy_text(settings.password.reveal(), password, password_size);
}

}  // namespace

Outcome<std::unique_ptr<Share>> Share::open(const wire::Open& settings) {
  auto share = std::make_unique<ShareOfServer>(settings);
  if (auto connected = share->connect(); !connected) return std::unexpected(connected.error());
  return share;
}

}  // namespace sallyport::smb
