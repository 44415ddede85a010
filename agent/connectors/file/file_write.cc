#include "agent/connectors/file/file_access.h"
#include "agent/connectors/file/file_actions_parts.h"
#include "agent/connectors/file/file_handle.h"
#include "agent/connectors/translate.h"

#include <fmt/format.h>

#include <array>
#include <optional>

namespace sallyport::connectors::file {
namespace {

using platform::Replace;

constexpr unsigned kNewFileMode = 0640;

std::unexpected<StepError> exists(std::string_view path) {
  return step_fail("constraint", fmt::format("{} exists already", path));
}

class FileWrite final : public Action {
 public:
  explicit FileWrite(Site site) : site_(site) {}
  std::string_view name() const override { return "file.write@1"; }

  StepResult<Output> run(const StepContext& context, const Value& values) override {
    const Arguments arguments(values);
    SP_TRY(const auto access, Access::open(site_, context, name()));
    SP_TRY(const auto wanted, arguments.text("path"));
    SP_TRY(const auto path, access.allowed(policy::FileVerb::write, wanted));
    if (context.repeated) SP_CHECK(to_step(access.root().discard_partials(path, context.idempotency_key)));
    SP_TRY(auto file, to_step(access.root().create(path, kNewFileMode, context.idempotency_key)));
    SP_TRY(const auto digest, fill(access, arguments, file));
    const auto replace = arguments.text_or("mode", "create") == "replace" ? Replace::allowed : Replace::never;
    auto facts = file.commit(replace);
    if (!facts && facts.error().error.code == Errc::conflict) {
      if (!context.repeated) return exists(path);
      SP_TRY(facts, same_content(access, path, digest));
    }
    SP_TRY(const auto written, to_outcome(std::move(facts)));
    auto handle = make_handle(context.connection, path, written);
    handle.attributes.insert_or_assign(Value("sha256"), Value(digest));
    return Output{Value(ValueMap{{Value("file"), Value(std::move(handle))}})};
  }

 private:
  static StepResult<std::string> fill(const Access& access, const Arguments& arguments, platform::NewFile& file) {
    crypto::Sha256 hash;
    if (arguments.find("content") != nullptr) {
      SP_TRY(const auto content, arguments.content("content"));
      SP_CHECK(access.check_size(content.size()));
      hash.update(content);
      SP_CHECK(to_step(file.write(content)));
      return hex(hash.finish());
    }
    SP_TRY(const auto source, arguments.handle("source"));
    SP_TRY(const auto reader, access.context().bodies.open_bytes(source));
    std::array<std::byte, 65536> buffer;
    for (std::uint64_t total = 0;;) {
      SP_CHECK(access.check_going_on());
      SP_TRY(const auto got, reader->read(buffer));
      if (got == 0) return hex(hash.finish());
      SP_CHECK(access.check_size(total += got));
      hash.update(std::span(buffer).first(got));
      SP_CHECK(to_step(file.write(std::span(buffer).first(got))));
    }
  }

  // After a crash: the file that is there already is this step's own when its content is what would be written.
  static StepResult<platform::FileFacts> same_content(const Access& access, const std::string& path,
                                                      const std::string& digest) {
    SP_TRY(const auto file, to_step(access.root().open_file(path)));
    SP_TRY(const auto found, hash_file(access, file.get()));
    if (found != digest) return exists(path);
    SP_CHECK(to_outcome(access.root().make_durable(path)));
    return to_step(platform::facts_of(file.get()));
  }

  Site site_;
};

class FileMove final : public Action {
 public:
  explicit FileMove(Site site) : site_(site) {}
  std::string_view name() const override { return "file.move@1"; }

  StepResult<Output> run(const StepContext& context, const Value& values) override {
    const Arguments arguments(values);
    SP_TRY(const auto access, Access::open(site_, context, name()));
    SP_TRY(const auto wanted, arguments.text("from"));
    SP_TRY(const auto from, access.allowed(policy::FileVerb::remove, wanted));
    SP_TRY(const auto target, arguments.text("to"));
    SP_TRY(const auto destination, resolve_target(access, target, from));
    SP_TRY(const auto to, access.allowed(policy::FileVerb::write, destination));
    const auto moved = move(access, from, to, arguments.is_true("overwrite") ? Replace::allowed : Replace::never);
    if (!moved) return std::unexpected(moved.error());
    return Output{Value(ValueMap{{Value("path"), Value(to)}})};
  }

 private:
  // A directory that exists keeps the file's name; one written with a slash at its end must exist.
  static StepResult<std::string> resolve_target(const Access& access, const std::string& target,
                                                const std::string& from) {
    SP_TRY(auto clean, access.clean(target));
    const auto directory = access.root().open_directory(clean);
    if (!directory) {
      if (target.ends_with('/')) return std::unexpected(to_step_error(directory.error()));
      return clean;
    }
    const auto name = from.substr(from.rfind('/') + 1);
    return clean == "." ? name : clean + "/" + name;
  }

  static StepResult<void> move(const Access& access, const std::string& from, const std::string& to, Replace replace) {
    if (from == to) return {};
    const auto source = access.root().facts(from);
    if (!source) {
      // A run before this one may have moved it already.
      const bool arrived =
          source.error().code == Errc::not_found && access.context().repeated && access.root().facts(to);
      if (arrived) return make_durable(access, from, to);
      return std::unexpected(to_step_error(source.error()));
    }
    const auto moved = access.root().rename(from, to, replace);
    if (!moved && moved.error().error.code == Errc::conflict) return exists(to);
    return to_outcome(moved);
  }

  static StepResult<void> make_durable(const Access& access, const std::string& from, const std::string& to) {
    SP_CHECK(to_outcome(access.root().make_durable(to)));
    return to_outcome(access.root().make_durable(from));
  }

  Site site_;
};

class FileDelete final : public Action {
 public:
  explicit FileDelete(Site site) : site_(site) {}
  std::string_view name() const override { return "file.delete@1"; }

  StepResult<Output> run(const StepContext& context, const Value& values) override {
    const Arguments arguments(values);
    SP_TRY(const auto access, Access::open(site_, context, name()));
    SP_TRY(const auto wanted, arguments.text("path"));
    SP_TRY(const auto path, access.allowed(policy::FileVerb::remove, wanted));
    const auto removed = access.root().remove(path);
    const bool gone = !removed && removed.error().error.code == Errc::not_found;
    if (gone && context.repeated) SP_CHECK(to_outcome(access.root().make_durable(path)));
    if (!gone) SP_CHECK(to_outcome(removed));
    return Output{Value(ValueMap{{Value("deleted"), Value(removed.has_value())}})};
  }

 private:
  Site site_;
};

}  // namespace

std::unique_ptr<Action> make_write(Site site) { return std::make_unique<FileWrite>(site); }
std::unique_ptr<Action> make_move(Site site) { return std::make_unique<FileMove>(site); }
std::unique_ptr<Action> make_delete(Site site) { return std::make_unique<FileDelete>(site); }

}  // namespace sallyport::connectors::file
