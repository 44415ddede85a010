#include "agent/connectors/ssh/sftp.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace sallyport::connectors::ssh {
namespace {

using remote::Facts;
using remote::Kind;
using remote::NameVerdict;

constexpr std::size_t kLongestPath = 4096;
constexpr long kNewFileMode = 0640;

unsigned size_of(const std::string& text) { return static_cast<unsigned>(text.size()); }

Facts facts_from(const LIBSSH2_SFTP_ATTRIBUTES& attributes) {
  Facts facts;
  const auto has = [&](unsigned long flag) { return (attributes.flags & flag) != 0; };
  if (has(LIBSSH2_SFTP_ATTR_PERMISSIONS)) {
    if (LIBSSH2_SFTP_S_ISREG(attributes.permissions)) facts.kind = Kind::file;
    if (LIBSSH2_SFTP_S_ISDIR(attributes.permissions)) facts.kind = Kind::directory;
  }
  if (has(LIBSSH2_SFTP_ATTR_SIZE)) facts.file.size = attributes.filesize;
  if (has(LIBSSH2_SFTP_ATTR_ACMODTIME))
    facts.file.mtime_ns = static_cast<std::int64_t>(attributes.mtime) * 1'000'000'000;
  return facts;
}

StepResult<void> to_outcome(const Session& session, StepResult<std::size_t> outcome) {
  if (outcome) return {};
  if (!session.is_broken()) return std::unexpected(std::move(outcome).error());
  return std::unexpected(remote::without_answer(std::move(outcome).error()));
}

}  // namespace

RemoteFile::~RemoteFile() {
  if (handle_ == nullptr) return;
  using namespace std::chrono_literals;
  if (!session_.is_broken()) (void)close({std::chrono::steady_clock::now() + 1s, {}});
  if (handle_ == nullptr) return;
  session_.cut();
  libssh2_sftp_close_handle(handle_);
}

StepResult<std::size_t> RemoteFile::read(std::span<std::byte> into, const CallLimits& limits) {
  return session_.drive(path_, limits,
                        [&] { return libssh2_sftp_read(handle_, reinterpret_cast<char*>(into.data()), into.size()); });
}

StepResult<std::size_t> RemoteFile::write(std::span<const std::byte> bytes, const CallLimits& limits) {
  return session_.drive(path_, limits, [&] {
    return libssh2_sftp_write(handle_, reinterpret_cast<const char*>(bytes.data()), bytes.size());
  });
}

StepResult<void> RemoteFile::sync(const CallLimits& limits) {
  auto synced = session_.drive(path_, limits, [&] { return libssh2_sftp_fsync(handle_); });
  const bool cannot = !synced && session_.last_answer() == LIBSSH2_FX_OP_UNSUPPORTED;
  if (synced || cannot) return {};
  return std::unexpected(std::move(synced).error());
}

StepResult<Facts> RemoteFile::facts(const CallLimits& limits) {
  LIBSSH2_SFTP_ATTRIBUTES attributes{};
  SP_CHECK(session_.drive(path_, limits, [&] { return libssh2_sftp_fstat_ex(handle_, &attributes, 0); }));
  return facts_from(attributes);
}

StepResult<void> RemoteFile::close(const CallLimits& limits) {
  auto* const handle = handle_;
  auto closed = session_.drive(path_, limits, [&]() -> std::ptrdiff_t {
    const auto code = libssh2_sftp_close_handle(handle);
    if (code != LIBSSH2_ERROR_EAGAIN) handle_ = nullptr;  // freed, also when the server had no kind word for it
    return code;
  });
  if (!closed) return std::unexpected(std::move(closed).error());
  return {};
}

Sftp::~Sftp() {
  session_.cut();
  libssh2_sftp_shutdown(sftp_);
}

StepResult<std::string> Sftp::real_path(std::string_view doing, const std::string& path, const CallLimits& limits) {
  std::string real(kLongestPath, '\0');
  SP_TRY(const auto size, session_.drive(doing, limits, [&] {
    return libssh2_sftp_symlink_ex(sftp_, path.c_str(), size_of(path), real.data(), static_cast<unsigned>(real.size()),
                                   LIBSSH2_SFTP_REALPATH);
  }));
  real.resize(std::min(size, real.size()));
  if (real.starts_with('/') && !real.contains('\0')) return real;
  return step_fail("format", fmt::format("{}: the server gives a path that is none", doing));
}

StepResult<void> Sftp::enter(const std::string& root, const CallLimits& limits) {
  SP_TRY(root_, real_path("the directory `root`", root, limits));
  LIBSSH2_SFTP_ATTRIBUTES attributes{};
  SP_CHECK(session_.drive("the directory `root`", limits, [&] {
    return libssh2_sftp_stat_ex(sftp_, root_.c_str(), size_of(root_), LIBSSH2_SFTP_STAT, &attributes);
  }));
  if (root_ == "/") root_.clear();
  return {};
}

// The directory is asked for by its real name: symbolic links that lead elsewhere show in it.
StepResult<std::string> Sftp::locate(const std::string& path, const CallLimits& limits) {
  if (path == ".") return root_.empty() ? "/" : root_;
  const auto parent = remote::parent_of(path);
  if (parent == ".") return root_ + "/" + path;
  SP_TRY(const auto real, real_path(parent, root_ + "/" + parent, limits));
  if (real == root_ + "/" + parent) return root_ + "/" + path;
  return remote::behind_link(parent);
}

StepResult<Facts> Sftp::facts(const std::string& path, const CallLimits& limits) {
  SP_TRY(const auto where, locate(path, limits));
  LIBSSH2_SFTP_ATTRIBUTES attributes{};
  SP_CHECK(session_.drive(path, limits, [&] {
    return libssh2_sftp_stat_ex(sftp_, where.c_str(), size_of(where), LIBSSH2_SFTP_LSTAT, &attributes);
  }));
  return facts_from(attributes);
}

StepResult<void> Sftp::each_file(const std::string& directory, const CallLimits& limits, const Visit& visit) {
  SP_TRY(const auto where, locate(directory, limits));
  if (directory != ".") {
    SP_TRY(const auto real, real_path(directory, where, limits));
    SP_TRY(const auto found, facts(directory, limits));
    if (found.kind != Kind::directory || real != where)
      return step_fail("invalid", fmt::format("{} is not a directory", directory));
  }
  SP_TRY(auto* const handle, session_.make<LIBSSH2_SFTP_HANDLE>(directory, limits, [&] {
    return libssh2_sftp_open_ex(sftp_, where.c_str(), size_of(where), 0, 0, LIBSSH2_SFTP_OPENDIR);
  }));
  RemoteFile open(session_, handle, directory);
  std::array<char, kLongestPath> name;
  for (;;) {
    LIBSSH2_SFTP_ATTRIBUTES attributes{};
    SP_TRY(const auto size, session_.drive(directory, limits, [&] {
      return libssh2_sftp_readdir_ex(handle, name.data(), name.size(), nullptr, 0, &attributes);
    }));
    if (size == 0) return open.close(limits);
    const std::string_view listed(name.data(), std::min(size, name.size()));
    const auto verdict = remote::judge_name(listed);
    if (verdict == NameVerdict::none)
      return step_fail("format", fmt::format("{}: the server lists a name that no file can have", directory));
    auto entry = facts_from(attributes);
    if (listed.starts_with('.') || entry.kind != Kind::file) continue;
    SP_CHECK(visit({std::string(listed), std::move(entry.file), verdict == NameVerdict::good}));
  }
}

StepResult<std::unique_ptr<RemoteFile>> Sftp::open(const std::string& path, Mode mode, const CallLimits& limits) {
  SP_TRY(const auto where, locate(path, limits));
  unsigned long flags = LIBSSH2_FXF_READ;
  if (mode != Mode::read) flags = LIBSSH2_FXF_WRITE;
  if (mode == Mode::create_anew) flags |= LIBSSH2_FXF_CREAT | LIBSSH2_FXF_EXCL;
  SP_TRY(auto* const handle, session_.make<LIBSSH2_SFTP_HANDLE>(path, limits, [&] {
    return libssh2_sftp_open_ex(sftp_, where.c_str(), size_of(where), flags, kNewFileMode, LIBSSH2_SFTP_OPENFILE);
  }));
  return std::make_unique<RemoteFile>(session_, handle, path);
}

StepResult<void> Sftp::rename(const std::string& from, const std::string& to, platform::Replace replace,
                              const CallLimits& limits) {
  SP_TRY(const auto source, locate(from, limits));
  SP_TRY(const auto target, locate(to, limits));
  SP_TRY(const auto taken, exists(to, limits));
  if (taken && replace == platform::Replace::never)
    return step_fail("constraint", fmt::format("{} exists already", to));
  if (taken) return replace_by(source, target, limits);
  return to_outcome(session_, session_.drive(to, limits, [&] {
    return libssh2_sftp_rename_ex(sftp_, source.c_str(), size_of(source), target.c_str(), size_of(target), 0);
  }));
}

// Version 3's own rename does not replace. Without OpenSSH's extension there is a moment without either file.
StepResult<void> Sftp::replace_by(const std::string& from, const std::string& to, const CallLimits& limits) {
  int code = 0;
  SP_CHECK(to_outcome(session_, session_.drive("replacing the file", limits, [&]() -> std::ptrdiff_t {
    return code = libssh2_sftp_posix_rename_ex(sftp_, from.c_str(), from.size(), to.c_str(), to.size());
  })));
  if (code == 0) return {};
  SP_CHECK(to_outcome(session_, session_.drive("removing the old file", limits, [&] {
    return libssh2_sftp_unlink_ex(sftp_, to.c_str(), size_of(to));
  })));
  return to_outcome(session_, session_.drive("giving the new file its name", limits, [&] {
    return libssh2_sftp_rename_ex(sftp_, from.c_str(), size_of(from), to.c_str(), size_of(to), 0);
  }));
}

StepResult<void> Sftp::remove(const std::string& path, const CallLimits& limits) {
  SP_TRY(const auto where, locate(path, limits));
  return to_outcome(session_, session_.drive(path, limits, [&] {
    return libssh2_sftp_unlink_ex(sftp_, where.c_str(), size_of(where));
  }));
}

}  // namespace sallyport::connectors::ssh
