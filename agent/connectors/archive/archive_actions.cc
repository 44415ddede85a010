#include "agent/connectors/archive/archive_actions.h"

#include "agent/connectors/archive/archive_parts.h"
#include "agent/connectors/archive/zlib.h"
#include "agent/connectors/archive/zstd.h"
#include "agent/connectors/arguments.h"

#include <array>

namespace sallyport::connectors::archive {
namespace {

using MakeTransform = StepResult<std::unique_ptr<Transform>> (*)(const Arguments&);

// A whole body through one transform.
struct Kind {
  std::string_view action;
  std::string_view media_type;
  MakeTransform make;
  bool unpacks;
};

int level(const Arguments& arguments, int fallback) {
  return static_cast<int>(arguments.integer_or("level", fallback));
}

constexpr std::array kKinds{
    Kind{"gzip.pack@1", "application/gzip", [](const Arguments& a) { return make_deflater(Wrap::gzip, level(a, 6)); },
         false},
    Kind{"gzip.unpack@1", "application/octet-stream", [](const Arguments&) { return make_inflater(Wrap::gzip); }, true},
    Kind{"zstd.pack@1", "application/zstd", [](const Arguments& a) { return make_zstd_packer(level(a, 3)); }, false},
    Kind{"zstd.unpack@1", "application/octet-stream", [](const Arguments&) { return make_zstd_unpacker(); }, true}};

class WholeBody final : public Action {
 public:
  WholeBody(Site site, const Kind& kind) : site_(site), kind_(kind) {}
  std::string_view name() const override { return kind_.action; }

  StepResult<Output> run(const StepContext& context, const Value& values) override {
    const Arguments arguments(values);
    SP_CHECK(check_allowed(site_, context, name()));
    SP_TRY(const auto source, arguments.handle("source"));
    SP_TRY(auto transform, kind_.make(arguments));
    SP_TRY(auto bytes, context.bodies.open_bytes(source));
    auto checked = std::make_unique<CheckedBytes>(std::move(bytes), going_on(site_, context));
    const auto ratio =
        kind_.unpacks ? static_cast<std::uint64_t>(arguments.integer_or("max_ratio", kDefaultRatio)) : kAnyRatio;
    TransformedBytes out(std::move(checked), std::move(transform), ratio);
    SP_TRY(const auto spool, context.bodies.new_spool(std::string(kind_.media_type)));
    SP_CHECK(copy(out, *spool, site_.policy.limits(context.connection).bytes));
    SP_TRY(auto file, spool->commit({}));
    return Output{Value(ValueMap{{Value("file"), Value(std::move(file))}})};
  }

 private:
  Site site_;
  const Kind& kind_;
};

}  // namespace

Check going_on(const Site& site, const StepContext& context) {
  return [&] { return check_going_on(site, context); };
}

StepResult<std::uint64_t> copy(ByteReader& from, BodyWriter& into, std::uint64_t limit) {
  std::array<std::byte, 65536> buffer;
  for (std::uint64_t total = 0;;) {
    SP_TRY(const auto got, from.read(buffer));
    if (got == 0) return total;
    if (got > limit - total)
      return step_fail("too_large", "more bytes than the limit of the local policy (limits.bytes)");
    total += got;
    SP_CHECK(into.write(std::span(buffer).first(got)));
  }
}

std::vector<std::unique_ptr<Action>> make_actions(Site site) {
  std::vector<std::unique_ptr<Action>> actions;
  actions.reserve(kKinds.size() + 3);
  for (const auto& kind : kKinds) actions.push_back(std::make_unique<WholeBody>(site, kind));
  actions.push_back(make_zip_list(site));
  actions.push_back(make_zip_unpack(site));
  actions.push_back(make_zip_pack(site));
  return actions;
}

}  // namespace sallyport::connectors::archive
