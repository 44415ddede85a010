#include "agent/connectors/smb/server_files.h"

#include "agent/connectors/translate.h"

#include <fmt/format.h>

#include <algorithm>
#include <ranges>

namespace sallyport::connectors::smb {
namespace {

using remote::NameVerdict;

constexpr std::size_t kPiece = std::size_t{256} << 10;

remote::Facts facts_from(const wire::Facts& told) {
  constexpr std::array kKinds{remote::Kind::file, remote::Kind::directory, remote::Kind::other};
  remote::Facts facts;
  facts.kind = kKinds.at(static_cast<std::size_t>(told.kind));
  facts.file.size = told.size;
  facts.file.mtime_ns = static_cast<std::int64_t>(told.mtime_ns);
  return facts;
}

bool is_plain_name(std::string_view name) {
  constexpr std::string_view kNotInNames = "\\:*?\"<>|";
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20; };
  return !name.empty() && !name.ends_with('.') && !name.ends_with(' ') && !std::ranges::any_of(name, is_control) &&
         name.find_first_of(kNotInNames) == std::string_view::npos;
}

}  // namespace

bool is_plain_path(std::string_view path) {
  if (path == ".") return true;
  return std::ranges::all_of(std::views::split(path, '/'),
                             [](const auto& part) { return is_plain_name(std::string_view(part)); });
}

StepResult<std::unique_ptr<ServerFiles>> ServerFiles::log_in(const policy::SmbConnection& settings,
                                                             const vault::Vault& vault, const std::string& program,
                                                             const CallLimits& limits) {
  SP_TRY(auto password, to_step(vault.resolve(settings.password)));
  SP_TRY(auto helper, Helper::start(program, settings.answer_timeout));
  wire::Open opening{.host = settings.host,
                     .port = settings.port,
                     .share = settings.share,
                     .domain = settings.domain,
                     .user = settings.user,
                     .password = std::move(password),
                     .encrypts = static_cast<std::uint8_t>(settings.protection == policy::SmbProtection::encrypted),
                     .patience_ms = static_cast<std::uint64_t>(settings.answer_timeout.count())};
  const auto until = std::min<SteadyTime>(limits.deadline, std::chrono::steady_clock::now() + settings.connect_timeout);
  auto opened = helper.ask_for<wire::Done>(std::move(opening), {until, limits.stop});
  if (!opened && opened.error().error_class() == "timeout" && std::chrono::steady_clock::now() < limits.deadline)
    return step_fail("connection", "the server did not answer within `connect_timeout`");
  if (!opened) return std::unexpected(std::move(opened).error());
  return std::unique_ptr<ServerFiles>(new ServerFiles(std::move(helper)));
}

StepResult<std::unique_ptr<ServerFiles>> ServerFiles::open(const policy::SmbConnection& settings,
                                                           const vault::Vault& vault, const std::string& program,
                                                           const CallLimits& limits) {
  SP_TRY(auto files, log_in(settings, vault, program, limits));
  SP_CHECK(files->enter(settings.root, limits));
  return files;
}

StepResult<void> ServerFiles::enter(const std::string& root, const CallLimits& limits) {
  const auto found = facts(root, limits);
  if (!found) return step_in_context("the directory `root`", found.error());
  if (found->kind != remote::Kind::directory) return step_fail("not_found", "`root` is not a directory");
  root_ = root == "." ? "" : root;
  return {};
}

bool ServerFiles::is_alive(const CallLimits& limits) {
  if (facts(".", limits)) return true;
  helper_.give_up();
  return false;
}

StepResult<std::string> ServerFiles::locate(const std::string& path) const {
  if (!is_plain_path(path))
    return step_fail("invalid", fmt::format("{} has a name that no file of an SMB server can have", path));
  if (root_.empty()) return path;
  return path == "." ? root_ : fmt::format("{}/{}", root_, path);
}

StepResult<remote::Facts> ServerFiles::facts(const std::string& path, const CallLimits& limits) {
  SP_TRY(const auto where, locate(path));
  const auto found = helper_.ask_for<wire::Facts>(wire::Look{where}, limits);
  if (!found) return step_in_context(path, found.error());
  return facts_from(*found);
}

StepResult<void> ServerFiles::each_file(const std::string& directory, const CallLimits& limits, const Visit& visit) {
  SP_TRY(const auto where, locate(directory));
  SP_TRY(const auto found, facts(directory, limits));
  if (found.kind != remote::Kind::directory)
    return step_fail("invalid", fmt::format("{} is not a directory", directory));
  StepResult<void> wanted;
  for (auto answer = helper_.ask(wire::List{where}, limits);; answer = helper_.next(limits)) {
    if (!answer) return step_in_context(directory, answer.error());
    if (std::holds_alternative<wire::Done>(*answer)) return wanted;
    const auto* const entry = std::get_if<wire::Entry>(&*answer);
    if (entry == nullptr) return helper_.nonsense();
    auto verdict = remote::judge_name(entry->name);
    if (verdict == NameVerdict::none) {
      (void)helper_.nonsense();
      return step_fail("format", fmt::format("{}: the server lists a name that no file can have", directory));
    }
    if (!is_plain_name(entry->name)) verdict = NameVerdict::unusable;
    const auto facts = facts_from(entry->facts);
    if (!wanted || entry->name.starts_with('.') || facts.kind != remote::Kind::file) continue;
    wanted = visit({entry->name, facts.file, verdict == NameVerdict::good});
  }
}

StepResult<void> ServerFiles::ask(const wire::Request& request, const CallLimits& limits) {
  SP_TRY(const auto done, helper_.ask_for<wire::Done>(request, limits));
  (void)done;
  return {};
}

StepResult<platform::FileFacts> ServerFiles::read(const std::string& path, std::uint64_t from, const Take& take,
                                                  const CallLimits& limits) {
  SP_TRY(const auto where, locate(path));
  if (auto opened = ask(wire::OpenFile{where, wire::Mode::read}, limits); !opened)
    return step_in_context(path, std::move(opened).error());
  auto pulled = pull(from, take, limits);
  if (helper_.is_usable()) {
    if (auto closed = ask(wire::Close{}, limits); !closed && pulled) pulled = std::move(closed);
  }
  if (!pulled) return std::unexpected(std::move(pulled).error());
  return file_facts(path, limits);
}

StepResult<void> ServerFiles::pull(std::uint64_t from, const Take& take, const CallLimits& limits) {
  for (;;) {
    SP_TRY(const auto piece, helper_.ask_for<wire::Piece>(wire::Read{from, kPiece}, limits));
    if (piece.bytes.empty()) return {};
    if (piece.bytes.size() > kPiece) return helper_.nonsense();
    SP_CHECK(take(piece.bytes));
    from += piece.bytes.size();
  }
}

StepResult<platform::FileFacts> ServerFiles::write(const std::string& path, std::uint64_t& at, ByteReader& source,
                                                   const CallLimits& limits) {
  SP_TRY(const auto where, locate(path));
  const auto mode = at == 0 ? wire::Mode::create : wire::Mode::go_on;
  if (auto opened = ask(wire::OpenFile{where, mode}, limits); !opened)
    return step_in_context(path, std::move(opened).error());
  auto pushed = push(at, source, limits);
  if (helper_.is_usable()) {
    if (auto closed = ask(wire::Close{}, limits); !closed && pushed) pushed = std::move(closed);
  }
  if (!pushed) return std::unexpected(std::move(pushed).error());
  return file_facts(path, limits);
}

StepResult<void> ServerFiles::push(std::uint64_t& at, ByteReader& source, const CallLimits& limits) {
  piece_.resize(kPiece);
  for (;;) {
    std::size_t filled = 0;
    while (filled < piece_.size()) {
      SP_TRY(const auto got, source.read(std::span(piece_).subspan(filled)));
      if (got == 0) break;
      filled += got;
    }
    if (filled == 0) return {};
    SP_CHECK(ask(wire::Write{at, std::span(piece_).first(filled)}, limits));
    at += filled;
  }
}

StepResult<void> ServerFiles::change(const wire::Request& request, const std::string& path, const CallLimits& limits) {
  auto changed = ask(request, limits);
  if (changed) return {};
  auto error = std::move(changed).error();
  if (!helper_.is_usable()) error = remote::without_answer(std::move(error));
  return step_in_context(path, std::move(error));
}

// libsmbclient says "it exists" of whatever fails after it has found the name taken, also when it has removed that
// file.
StepError ServerFiles::not_replaced(const std::string& from, const std::string& to, const CallLimits& limits) {
  const auto old = file_facts(to, limits), fresh = file_facts(from, limits);
  if (old && fresh) return {{"changed"}, "another program has it open, or it may not be removed", {}};
  return remote::without_answer({{"connection"}, "it was being replaced, and that came to no end", {}});
}

// libsmbclient's rename takes away what is in its way, empty directories too, so whether that may be is asked before.
StepResult<void> ServerFiles::rename(const std::string& from, const std::string& to, platform::Replace replace,
                                     const CallLimits& limits) {
  SP_TRY(const auto source, locate(from));
  SP_TRY(const auto target, locate(to));
  const auto taken = facts(to, limits);
  if (!taken && taken.error().error_class() != "not_found") return std::unexpected(taken.error());
  if (taken && replace == platform::Replace::never)
    return step_fail("constraint", fmt::format("{} exists already", to));
  if (taken && taken->kind != remote::Kind::file)
    return step_fail("invalid", fmt::format("{} is not a regular file", to));
  auto renamed = change(wire::Rename{source, target}, to, limits);
  if (renamed || renamed.error().error_class() != "constraint") return renamed;
  return step_in_context(to, not_replaced(from, to, limits));
}

StepResult<void> ServerFiles::remove(const std::string& path, const CallLimits& limits) {
  SP_TRY(const auto where, locate(path));
  return change(wire::Remove{where}, path, limits);
}

}  // namespace sallyport::connectors::smb
