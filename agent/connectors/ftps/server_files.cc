#include "agent/connectors/ftps/server_files.h"

#include "agent/connectors/ftps/listing.h"
#include "agent/connectors/line_splitter.h"
#include "agent/connectors/translate.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::connectors::ftps {
namespace {

using platform::Replace;
using remote::Facts;
using remote::Kind;
using remote::NameVerdict;

constexpr std::size_t kAtOnce = 100;  // commands of one call

std::string name_in(std::string_view path) { return std::string(path.substr(path.rfind('/') + 1)); }

std::string_view first_line(const Reply& reply) {
  return reply.lines.empty() ? std::string_view() : std::string_view(reply.lines.back());
}

bool offers(const Reply& features, std::string_view feature) {
  return std::ranges::any_of(features.lines, [&](std::string_view line) {
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    return line == feature || line.starts_with(std::string(feature) + " ");
  });
}

StepResult<std::uint64_t> size_in(const Reply& reply) {
  const auto size = parse_size(first_line(reply));
  if (size) return *size;
  return step_fail("format", "the server tells a size that is none");
}

// What STAT says of a file over the control connection, where it says it as RFC 959 has it: codes 212 and 213. A name
// that is not among the files there is a symbolic link, say.
bool is_said_to_be_no_file(const Reply& status, const std::string& name) {
  if (status.code != 212 && status.code != 213) return false;
  return std::ranges::none_of(status.lines, [&](const std::string& line) {
    const auto listed = parse_list(line).value_or(std::nullopt);
    return listed && listed->facts.kind == Kind::file && name_in(listed->name) == name;
  });
}

// Lines in, entries out.
class Lister {
 public:
  Lister(bool by_facts, const remote::Files::Visit& visit) : by_facts_(by_facts), visit_(visit) {}

  StepResult<void> take(std::span<const std::byte> bytes) {
    lines_.feed(bytes);
    return go_on();
  }
  StepResult<void> finish() {
    lines_.finish();
    return go_on();
  }

 private:
  StepResult<void> go_on() {
    for (;;) {
      const auto line = lines_.next();
      if (!line) return step_fail("format", "the server lists a line that is too long");
      if (!*line) return {};
      SP_CHECK(take_line(**line));
    }
  }

  StepResult<void> take_line(const std::string& line) {
    std::optional<Listed> entry;
    if (by_facts_) entry = parse_facts(line);
    const auto found = by_facts_ ? std::nullopt : parse_list(line);
    if (found) entry = *found;
    if (!entry && (found || line.empty())) return {};
    if (!entry) return step_fail("format", "the server lists files in a form that this agent does not know");
    if (entry->facts.kind != Kind::file) return {};  // directories are listed as "." and with paths, links with targets
    const auto verdict = remote::judge_name(entry->name);
    if (verdict == NameVerdict::none) return step_fail("format", "the server lists a name that no file can have");
    if (entry->name.starts_with('.')) return {};
    return visit_({std::move(entry->name), std::move(entry->facts.file), verdict == NameVerdict::good});
  }

  bool by_facts_;
  const remote::Files::Visit& visit_;
  LineSplitter lines_{Talk::kMostLine};
};

}  // namespace

StepResult<std::unique_ptr<ServerFiles>> ServerFiles::open(const policy::FtpsConnection& settings,
                                                           const vault::Vault& vault, const CallLimits& limits) {
  SP_TRY(auto wire, Wire::make(settings, vault));
  auto files = std::make_unique<ServerFiles>(std::move(wire));
  SP_CHECK(files->greet(limits));
  SP_CHECK(files->enter(settings.root, limits));
  return files;
}

StepResult<void> ServerFiles::greet(const CallLimits& limits) {
  SP_TRY(const auto replies, wire_->ask({{"FEAT"}}, limits));
  has_facts_ = replies[0].is_good() && offers(replies[0], "MLST");
  if (offers(replies[0], "UTF8")) SP_CHECK(wire_->ask({{"OPTS UTF8 ON"}}, limits));
  return {};
}

StepResult<void> ServerFiles::enter(const std::string& root, const CallLimits& limits) {
  auto entered = directory_at(root, limits);
  if (!entered) return step_in_context("the directory `root`", std::move(entered).error());
  root_ = *entered == "/" ? "" : *std::move(entered);
  return {};
}

// The real name of a directory.
StepResult<std::string> ServerFiles::directory_at(const std::string& where, const CallLimits& limits) {
  std::vector<std::string> commands{"CWD " + where, "PWD"};
  SP_TRY(const auto replies, wire_->ask(commands, limits));
  if (!replies[0].is_good()) return std::unexpected(reply_error(replies[0].code, Asking::lookup));
  if (!replies[1].is_good()) return std::unexpected(reply_error(replies[1].code, Asking::work));
  return path_in(replies[1]);
}

// Symbolic links that lead elsewhere show in the real name of the directory.
StepResult<std::string> ServerFiles::locate(const std::string& path, const CallLimits& limits) {
  if (path == ".") return root_.empty() ? "/" : root_;
  const auto parent = remote::parent_of(path);
  if (parent == ".") return root_ + "/" + path;
  const auto real = directory_at(root_ + "/" + parent, limits);
  if (!real) return step_in_context(parent, real.error());
  if (*real != root_ + "/" + parent) return remote::behind_link(parent);
  return root_ + "/" + path;
}

StepResult<Facts> ServerFiles::facts(const std::string& path, const CallLimits& limits) {
  SP_TRY(const auto where, locate(path, limits));
  auto found = facts_at(where, limits);
  if (!found) return step_in_context(path, std::move(found).error());
  return found;
}

StepResult<Facts> ServerFiles::facts_at(const std::string& where, const CallLimits& limits) {
  if (!has_facts_) return facts_by_size(where, limits);
  SP_TRY(const auto replies, wire_->ask({{"MLST " + where}}, limits));
  if (!replies[0].is_good()) return std::unexpected(reply_error(replies[0].code, Asking::lookup));
  for (const std::string_view line : replies[0].lines) {
    const auto listed = line.starts_with(' ') ? parse_facts(line.substr(1)) : std::nullopt;
    if (listed) return listed->facts;
  }
  return step_fail("format", "the server does not say what it is");
}

StepResult<Facts> ServerFiles::facts_by_size(const std::string& where, const CallLimits& limits) {
  SP_TRY(const auto replies, wire_->ask({{"TYPE I", "SIZE " + where, "MDTM " + where, "STAT " + where}}, limits));
  Facts facts;
  if (!replies[1].is_good()) {
    if (replies[1].code != 550) return std::unexpected(reply_error(replies[1].code, Asking::lookup));
    SP_CHECK(directory_at(where, limits));
    facts.kind = Kind::directory;
    return facts;
  }
  SP_TRY(facts.file.size, size_in(replies[1]));
  facts.kind = is_said_to_be_no_file(replies[3], name_in(where)) ? Kind::other : Kind::file;
  if (replies[2].is_good()) facts.file.mtime_ns = parse_time(first_line(replies[2])).value_or(0);
  return facts;
}

StepResult<std::uint64_t> ServerFiles::size_at(const std::string& where, const CallLimits& limits) {
  SP_TRY(const auto replies, wire_->ask({{"TYPE I", "SIZE " + where}}, limits));
  if (!replies[1].is_good()) return std::unexpected(reply_error(replies[1].code, Asking::lookup));
  return size_in(replies[1]);
}

StepResult<void> ServerFiles::each_file(const std::string& directory, const CallLimits& limits, const Visit& visit) {
  SP_TRY(const auto where, locate(directory, limits));
  if (directory != ".") {
    const auto real = directory_at(where, limits);
    if (!real) SP_CHECK(facts(directory, limits));
    if (!real || *real != where) return step_fail("invalid", fmt::format("{} is not a directory", directory));
  }
  Lister lister(has_facts_, visit);
  auto listed = wire_->list(
      has_facts_ ? "MLSD" : "LIST", where, [&](std::span<const std::byte> bytes) { return lister.take(bytes); },
      limits);
  if (listed) listed = lister.finish();
  if (!listed) return step_in_context(directory, std::move(listed).error());
  return {};
}

StepResult<void> ServerFiles::complete(std::vector<platform::DirectoryEntry>& files, const CallLimits& limits) {
  if (has_facts_) return {};
  std::vector<platform::DirectoryEntry> there;
  for (std::size_t from = 0; from < files.size(); from += kAtOnce) {
    const auto some = std::span(files).subspan(from, std::min(kAtOnce, files.size() - from));
    std::vector<std::string> commands;
    for (const auto& file : some) commands.push_back("MDTM " + root_ + "/" + file.name);
    SP_TRY(const auto replies, wire_->ask(commands, limits));
    for (std::size_t i = 0; i < some.size(); ++i) {
      if (replies[i].code == 550) continue;  // it is gone
      some[i].facts.mtime_ns = replies[i].is_good() ? parse_time(first_line(replies[i])).value_or(0) : 0;
      there.push_back(std::move(some[i]));
    }
  }
  files = std::move(there);
  return {};
}

StepResult<platform::FileFacts> ServerFiles::read(const std::string& path, std::uint64_t from, const Take& take,
                                                  const CallLimits& limits) {
  SP_TRY(const auto where, locate(path, limits));
  auto got = wire_->get(where, from, take, limits);
  if (!got) return step_in_context(path, std::move(got).error());
  return file_facts(path, limits);
}

StepResult<platform::FileFacts> ServerFiles::write(const std::string& path, std::uint64_t& at, ByteReader& source,
                                                   const CallLimits& limits) {
  SP_TRY(const auto where, locate(path, limits));
  auto sent = wire_->put(where, at, source, limits);
  if (!sent) return step_in_context(path, std::move(sent).error());
  platform::FileFacts facts;
  SP_TRY(facts.size, size_at(where, limits));
  return facts;
}

StepResult<std::uint64_t> ServerFiles::reached(const std::string& path, std::uint64_t at, const CallLimits& limits) {
  SP_TRY(const auto where, locate(path, limits));
  const auto size = size_at(where, limits);
  if (!size && size.error().error_class() == "not_found") return 0;
  if (!size) return step_in_context(path, size.error());
  if (*size <= at) return *size;
  return step_fail("changed", fmt::format("{} has {} bytes on the server, and {} were sent", path, *size, at));
}

// The last command is the change. Where its answer did not come it may have happened.
StepResult<void> ServerFiles::change(const std::vector<std::string>& commands, const CallLimits& limits) {
  const auto replies = wire_->ask(commands, limits);
  if (!replies) {
    const auto& told = wire_->last_talk().replies();
    const bool sent = told.size() == commands.size();
    if (sent && told.back().code == 0) return std::unexpected(remote::without_answer(replies.error()));
    if (!sent || !told.back().is_good()) return std::unexpected(replies.error());
    return {};
  }
  for (const auto& reply : *replies) {
    if (reply.code >= 400) return std::unexpected(reply_error(reply.code, Asking::work));
  }
  return {};
}

StepResult<void> ServerFiles::rename(const std::string& from, const std::string& to, Replace replace,
                                     const CallLimits& limits) {
  SP_TRY(const auto source, locate(from, limits));
  SP_TRY(const auto target, locate(to, limits));
  SP_TRY(const auto taken, exists(to, limits));
  if (taken && replace == Replace::never) return step_fail("constraint", fmt::format("{} exists already", to));
  const std::vector<std::string> renaming{"RNFR " + source, "RNTO " + target};
  auto renamed = change(renaming, limits);
  const bool kept = !renamed && taken && wire_->last_talk().last_code() >= 500;
  if (kept) {  // a server that does not rename over a file
    renamed = change({"DELE " + target}, limits);
    if (renamed) renamed = change(renaming, limits);
  }
  if (!renamed) return step_in_context(to, std::move(renamed).error());
  return {};
}

StepResult<void> ServerFiles::remove(const std::string& path, const CallLimits& limits) {
  SP_TRY(const auto where, locate(path, limits));
  auto removed = change({"DELE " + where}, limits);
  if (!removed) return step_in_context(path, std::move(removed).error());
  return {};
}

}  // namespace sallyport::connectors::ftps
