#include "agent/connectors/file/file_handle.h"

#include "agent/connectors/arguments.h"
#include "agent/connectors/paths.h"
#include "agent/connectors/translate.h"
#include "agent/platform/fd_io.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::connectors::file {
namespace {

std::unexpected<StepError> changed(std::string_view path) {
  return step_fail(
      "changed", fmt::format("{} changed after this job looked at it; start the job again for its new content", path));
}

class OpenFile final : public ByteReader {
 public:
  OpenFile(platform::Fd file, platform::FileFacts expected, std::string path)
      : file_(std::move(file)), expected_(std::move(expected)), path_(std::move(path)) {}

  StepResult<std::size_t> read(std::span<std::byte> into) override {
    auto piece = platform::read_at(file_.get(), total_, into);
    if (!piece) return step_in_context(path_, to_step_error(std::move(piece).error()));
    const auto got = *piece;
    total_ += got;
    if (total_ > expected_.size) return changed(path_);
    if (got == 0) SP_CHECK(check_unchanged());
    return got;
  }
  StepResult<std::uint64_t> skip(std::uint64_t count) override {
    const auto skipped = std::min(count, expected_.size - total_);
    total_ += skipped;
    return skipped;
  }

 private:
  StepResult<void> check_unchanged() {
    SP_TRY(const auto facts, to_step(platform::facts_of(file_.get())));
    if (facts != expected_ || total_ != expected_.size) return changed(path_);
    return {};
  }

  platform::Fd file_;
  platform::FileFacts expected_;
  std::string path_;
  std::uint64_t total_ = 0;
};

StepResult<platform::FileFacts> expected_facts(const Handle& handle) {
  SP_TRY(const auto size, integer_attribute(handle, "size"));
  SP_TRY(const auto mtime, integer_attribute(handle, "mtime_ns"));
  SP_TRY(auto identity, text_attribute(handle, "identity"));
  return platform::FileFacts{static_cast<std::uint64_t>(size), mtime, std::move(identity)};
}

}  // namespace

Handle make_handle(std::string_view connection, std::string_view path, const platform::FileFacts& facts) {
  return Handle{"file", ValueMap{{Value("connection"), Value(connection)},
                                 {Value("path"), Value(path)},
                                 {Value("name"), Value(path.substr(path.rfind('/') + 1))},
                                 {Value("size"), Value(static_cast<std::int64_t>(facts.size))},
                                 {Value("mtime"), Value(rfc3339(from_unix_ms(facts.mtime_ns / 1'000'000)))},
                                 {Value("mtime_ns"), Value(facts.mtime_ns)},
                                 {Value("identity"), Value(facts.identity)}}};
}

StepResult<platform::Root> open_root(const Site& site, std::string_view name) {
  SP_TRY(const auto* connection, find_connection(site, name, "file"));
  auto root = to_step(platform::Root::open(connection->file()->root));
  if (root) return root;
  return std::unexpected(without_settings(site.log, name, "opening the directory of", std::move(root).error()));
}

StepResult<std::unique_ptr<ByteReader>> FileOpener::open_bytes(const Handle& handle, Bodies&) {
  SP_TRY(const auto connection, text_attribute(handle, "connection"));
  SP_TRY(const auto path, text_attribute(handle, "path"));
  SP_TRY(auto expected, expected_facts(handle));
  SP_TRY(const auto clean, path_below_root(connection, path));
  SP_CHECK(to_step(site_.policy.check_file(connection, policy::FileVerb::read, clean)));
  if (const auto limit = site_.policy.limits(connection).bytes; expected.size > limit) {
    return step_fail(
        "too_large",
        fmt::format("{} is larger than {} bytes, the limit that the local policy sets for {} (limits.bytes)", clean,
                    limit, connection));
  }
  SP_TRY(const auto root, open_root(site_, connection));
  SP_TRY(auto file, to_step(root.open_file(clean)));
  SP_TRY(const auto facts, to_step(platform::facts_of(file.get())));
  if (facts != expected) return changed(clean);
  return std::make_unique<OpenFile>(std::move(file), std::move(expected), clean);
}

StepResult<std::unique_ptr<RowReader>> FileOpener::open_rows(const Handle&, Bodies&) {
  return step_fail("invalid", "a file has no rows of its own: read it with csv.read or json.read_lines first");
}

}  // namespace sallyport::connectors::file
