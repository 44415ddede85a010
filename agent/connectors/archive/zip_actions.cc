#include "agent/connectors/archive/archive_parts.h"
#include "agent/connectors/archive/zip_archive.h"
#include "agent/connectors/archive/zlib.h"
#include "agent/connectors/arguments.h"
#include "agent/policy/glob.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace sallyport::connectors::archive {
namespace {

constexpr std::size_t kMostInOutput = 1'000;

StepResult<std::unique_ptr<ZipArchive>> open_archive(const Site& site, const StepContext& context,
                                                     const Arguments& arguments) {
  SP_TRY(auto source, arguments.handle("source"));
  return ZipArchive::open(std::move(source), context.bodies, going_on(site, context));
}

// The files that `entry` names or `pattern` matches; all of them without either.
StepResult<std::vector<const ZipEntry*>> chosen(const ZipArchive& archive, const Arguments& arguments) {
  const auto entry = arguments.text_or("entry", ""), pattern = arguments.text_or("pattern", "");
  std::vector<const ZipEntry*> files;
  for (const auto& candidate : archive.entries()) {
    const auto file_name = std::string_view(candidate.name).substr(candidate.name.rfind('/') + 1);
    if (candidate.is_folder() || (!entry.empty() && candidate.name != entry)) continue;
    if (!pattern.empty() && !policy::glob_matches(pattern, file_name)) continue;
    if (files.size() == kMostInOutput)
      return step_fail("too_large", fmt::format("more than {} entries: choose with `pattern`", kMostInOutput));
    files.push_back(&candidate);
  }
  return files;
}

Value listed(const ZipEntry& entry) {
  return Value(ValueMap{{Value("name"), Value(entry.name)},
                        {Value("size"), Value(static_cast<std::int64_t>(entry.size))},
                        {Value("packed"), Value(static_cast<std::int64_t>(entry.packed))},
                        {Value("encrypted"), Value(entry.is_encrypted())}});
}

Value count_of(const ValueList& list) { return Value(static_cast<std::int64_t>(list.size())); }

class ZipList final : public Action {
 public:
  explicit ZipList(Site site) : site_(site) {}
  std::string_view name() const override { return "zip.list@1"; }

  StepResult<Output> run(const StepContext& context, const Value& values) override {
    const Arguments arguments(values);
    SP_CHECK(check_allowed(site_, context, name()));
    SP_TRY(const auto archive, open_archive(site_, context, arguments));
    SP_TRY(const auto files, chosen(*archive, arguments));
    ValueList entries;
    for (const auto* file : files) entries.push_back(listed(*file));
    auto count = count_of(entries);
    return Output{Value(ValueMap{{Value("entries"), Value(std::move(entries))}, {Value("count"), std::move(count)}})};
  }

 private:
  Site site_;
};

class ZipUnpack final : public Action {
 public:
  explicit ZipUnpack(Site site) : site_(site) {}
  std::string_view name() const override { return "zip.unpack@1"; }

  StepResult<Output> run(const StepContext& context, const Value& values) override {
    const Arguments arguments(values);
    SP_CHECK(check_allowed(site_, context, name()));
    SP_TRY(const auto archive, open_archive(site_, context, arguments));
    SP_TRY(const auto wanted, chosen(*archive, arguments));
    if (wanted.empty() && arguments.find("entry") != nullptr)
      return step_fail("not_found", "the ZIP has no file of the name in `entry`");
    const auto ratio = static_cast<std::uint64_t>(arguments.integer_or("max_ratio", kDefaultRatio));
    auto left = site_.policy.limits(context.connection).bytes;
    ValueList files;
    for (const auto* entry : wanted) {
      SP_TRY(const auto content, archive->open_entry(*entry, ratio));
      SP_TRY(const auto spool, context.bodies.new_spool("application/octet-stream"));
      SP_TRY(const auto bytes, copy(*content, *spool, left));
      left -= bytes;
      SP_TRY(auto file, spool->commit(ValueMap{{Value("entry"), Value(entry->name)}}));
      files.emplace_back(std::move(file));
    }
    auto count = count_of(files);
    return Output{Value(ValueMap{{Value("files"), Value(std::move(files))}, {Value("count"), std::move(count)}})};
  }

 private:
  Site site_;
};

// Counts what goes through, and its CRC.
class MeasuredBytes final : public ByteReader {
 public:
  MeasuredBytes(std::unique_ptr<ByteReader> source, ZipEntry& entry, Crc32 crc)
      : source_(std::move(source)), entry_(entry), crc_(crc) {}

  StepResult<std::size_t> read(std::span<std::byte> into) override {
    SP_TRY(const auto got, source_->read(into));
    crc_.add(into.first(got));
    entry_.crc = crc_.value();
    entry_.size += got;
    return got;
  }

 private:
  std::unique_ptr<ByteReader> source_;
  ZipEntry& entry_;
  Crc32 crc_;
};

struct PackItem {
  std::string name;
  Handle source;
};

StepResult<std::vector<PackItem>> read_items(const Arguments& arguments) {
  SP_TRY(const auto* list, arguments.any("entries"));
  if (!list->is(Value::Kind::list)) return step_fail("invalid", "`entries` must be a list");
  std::vector<PackItem> items;
  std::set<std::string> names;
  for (const auto& element : list->as_list()) {
    if (items.size() == kMaxEntries) return step_fail("too_large", fmt::format("more than {} entries", kMaxEntries));
    const Arguments item(element);
    SP_TRY(auto name, item.text("name"));
    SP_TRY(auto source, item.handle("source"));
    const auto where = [&](std::string_view why) { return fmt::format("entry {} has {}", items.size() + 1, why); };
    if (const auto good = check_entry_name(name); !good) return step_fail("invalid", where(good.error().message));
    if (name.ends_with('/')) return step_fail("invalid", where("the name of a folder"));
    if (!names.insert(name).second) return step_fail("invalid", where("the name of another one"));
    items.push_back({std::move(name), std::move(source)});
  }
  return items;
}

Sizes sizes_for(const Handle& source) {
  const auto size = source.attributes.find(Value("size"));
  const bool known = size != source.attributes.end() && size->second.is(Value::Kind::int64);
  // Packing may make a little more of what does not pack.
  return known && std::cmp_less(size->second.as_int(), kNarrowSize / 2) ? Sizes::narrow : Sizes::wide;
}

class ZipPack final : public Action {
 public:
  explicit ZipPack(Site site) : site_(site) {}
  std::string_view name() const override { return "zip.pack@1"; }

  StepResult<Output> run(const StepContext& context, const Value& values) override {
    const Arguments arguments(values);
    SP_CHECK(check_allowed(site_, context, name()));
    SP_TRY(const auto items, read_items(arguments));
    SP_TRY(const auto spool, context.bodies.new_spool("application/zip"));
    Writing writing{context, *spool, static_cast<int>(arguments.integer_or("level", 6)),
                    site_.policy.limits(context.connection).bytes};
    std::string records;
    for (const auto& item : items) {
      SP_TRY(const auto entry, write_entry(writing, item));
      records += directory_record(entry);
    }
    const ZipDirectory directory{items.size(), writing.at, records.size()};
    SP_CHECK(spool->write(as_bytes(records + end_of_zip(directory))));
    SP_TRY(auto file, spool->commit({}));
    return Output{Value(ValueMap{{Value("file"), Value(std::move(file))},
                                 {Value("count"), Value(static_cast<std::int64_t>(items.size()))}})};
  }

 private:
  struct Writing {
    const StepContext& context;
    BodyWriter& spool;
    int level;
    std::uint64_t limit;
    std::uint64_t at = 0;

    StepResult<void> write(const std::string& record) {
      at += record.size();
      return spool.write(as_bytes(record));
    }
  };

  StepResult<ZipEntry> write_entry(Writing& writing, const PackItem& item) const {
    ZipEntry entry{.name = item.name, .offset = writing.at};
    entry.method = static_cast<std::uint16_t>(writing.level == 0 ? Method::stored : Method::deflated);
    const auto sizes = sizes_for(item.source);
    SP_CHECK(writing.write(local_header(entry, sizes)));
    SP_TRY(const auto content, open_content(writing, item.source, entry));
    SP_TRY(entry.packed, copy(*content, writing.spool, writing.limit - std::min(writing.limit, writing.at)));
    writing.at += entry.packed;
    if (sizes == Sizes::narrow && std::max(entry.packed, entry.size) > kNarrowSize)
      return step_fail("changed", "a body is larger than it says");
    SP_CHECK(writing.write(data_descriptor(entry, sizes)));
    return entry;
  }

  StepResult<std::unique_ptr<ByteReader>> open_content(const Writing& writing, const Handle& source,
                                                       ZipEntry& entry) const {
    SP_TRY(auto bytes, writing.context.bodies.open_bytes(source));
    SP_TRY(const auto crc, Crc32::begin());
    auto checked = std::make_unique<CheckedBytes>(std::move(bytes), going_on(site_, writing.context));
    std::unique_ptr<ByteReader> content = std::make_unique<MeasuredBytes>(std::move(checked), entry, crc);
    if (writing.level == 0) return content;
    SP_TRY(auto deflater, make_deflater(Wrap::raw, writing.level));
    return std::make_unique<TransformedBytes>(std::move(content), std::move(deflater), kAnyRatio);
  }

  Site site_;
};

}  // namespace

std::unique_ptr<Action> make_zip_list(Site site) { return std::make_unique<ZipList>(site); }
std::unique_ptr<Action> make_zip_unpack(Site site) { return std::make_unique<ZipUnpack>(site); }
std::unique_ptr<Action> make_zip_pack(Site site) { return std::make_unique<ZipPack>(site); }

}  // namespace sallyport::connectors::archive
