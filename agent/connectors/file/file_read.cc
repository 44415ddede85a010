#include "agent/connectors/file/file_access.h"
#include "agent/connectors/file/file_actions_parts.h"
#include "agent/connectors/file/file_handle.h"
#include "agent/connectors/translate.h"
#include "agent/platform/fd_io.h"

#include <fmt/format.h>

#include <span>

namespace sallyport::connectors::file {
namespace {

constexpr std::uint64_t kMaxText = 256u << 10;  // of a step's whole output
constexpr std::size_t kMaxListed = 10'000;
constexpr int kMaxDepth = 32;

StepResult<std::string> read_text(int fd, const platform::FileFacts& facts, std::string_view path) {
  if (facts.size > kMaxText)
    return step_fail("too_large", fmt::format("{} has {} bytes; as text at most {} are read: use it as a body", path,
                                              facts.size, kMaxText));
  std::string text(static_cast<std::size_t>(facts.size), '\0');
  SP_TRY(const auto got, to_step(platform::read_at(fd, 0, std::as_writable_bytes(std::span(text)))));
  text.resize(got);
  if (!is_valid_utf8(text)) return step_fail("format", fmt::format("{} is not UTF-8 text: use it as a body", path));
  return text;
}

class FileRead final : public Action {
 public:
  explicit FileRead(Site site) : site_(site) {}
  std::string_view name() const override { return "file.read@1"; }

  StepResult<Output> run(const StepContext& context, const Value& values) override {
    const Arguments arguments(values);
    SP_TRY(const auto access, Access::open(site_, context, name()));
    SP_TRY(const auto wanted, arguments.text("path"));
    SP_TRY(const auto path, access.allowed(policy::FileVerb::read, wanted));
    SP_TRY(const auto file, to_step(access.root().open_file(path)));
    SP_TRY(const auto facts, to_step(platform::facts_of(file.get())));
    SP_CHECK(access.check_size(facts.size));
    auto handle = make_handle(context.connection, path, facts);
    ValueMap output;
    if (arguments.is_true("sha256")) {
      SP_TRY(auto digest, hash_file(access, file.get()));
      handle.attributes.insert_or_assign(Value("sha256"), Value(std::move(digest)));
    }
    if (arguments.is_true("text")) {
      SP_TRY(auto text, read_text(file.get(), facts, path));
      output.insert_or_assign(Value("text"), Value(std::move(text)));
    }
    output.insert_or_assign(Value("file"), Value(std::move(handle)));
    return Output{Value(std::move(output))};
  }

 private:
  Site site_;
};

class FileList final : public Action {
 public:
  explicit FileList(Site site) : site_(site) {}
  std::string_view name() const override { return "file.list@1"; }

  StepResult<Output> run(const StepContext& context, const Value& values) override {
    const Arguments arguments(values);
    SP_TRY(const auto access, Access::open(site_, context, name()));
    SP_TRY(const auto wanted, arguments.text("path"));
    SP_TRY(const auto path, access.clean(wanted));
    SP_CHECK(to_step(site_.policy.check_directory(context.connection, path)));
    const auto limit = arguments.integer("limit");
    const Listing listing{
        .pattern = arguments.text_or("pattern", "*"),
        .depth = arguments.is_true("recursive") ? kMaxDepth : 0,
        .limit = limit ? static_cast<std::size_t>(*limit) : kMaxListed,
        .over = limit ? Listing::Over::gives_first : Listing::Over::fails,
        .wants = [&](const std::string& file) {
          return site_.policy.check_file(context.connection, policy::FileVerb::read, file).has_value();
        }};
    SP_TRY(const auto found, list_files(access.root(), path, listing));
    ValueList handles;
    for (const auto& file : found.files)
      handles.push_back(Value(make_handle(context.connection, file.name, file.facts)));
    const auto count = static_cast<std::int64_t>(handles.size());
    const auto skipped = static_cast<std::int64_t>(found.skipped.size());
    return Output{Value(ValueMap{{Value("files"), Value(std::move(handles))},
                                 {Value("count"), Value(count)},
                                 {Value("more"), Value(found.over_limit)},
                                 {Value("skipped"), Value(skipped)}})};
  }

 private:
  Site site_;
};

}  // namespace

std::unique_ptr<Action> make_read(Site site) { return std::make_unique<FileRead>(site); }
std::unique_ptr<Action> make_list(Site site) { return std::make_unique<FileList>(site); }

}  // namespace sallyport::connectors::file
