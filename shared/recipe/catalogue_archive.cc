#include "shared/recipe/catalogue_format_parts.h"

namespace sallyport::recipe::tables {
namespace {

constexpr std::array kEntryOrPattern{"entry"sv, "pattern"sv};

constexpr Field kPackSource{
    .name = "source", .types = Types::body, .traits = Traits::required, .doc = "the body to pack"};
constexpr Field kZip{.name = "source", .types = Types::body, .traits = Traits::required, .doc = "the ZIP"};
constexpr Field kRatio{.name = "max_ratio",
                       .types = Types::integer,
                       .doc = "beyond the first MiB, at most so many bytes for each packed one (`too_large`)",
                       .default_json = "200",
                       .min = 1,
                       .max = 100'000};
constexpr Field kGzipLevel{
    .name = "level", .types = Types::integer, .doc = "1 is fast, 9 is small", .default_json = "6", .min = 1, .max = 9};
constexpr Field kZstdLevel{
    .name = "level", .types = Types::integer, .doc = "1 is fast, 9 is small", .default_json = "3", .min = 1, .max = 9};
constexpr Field kZipLevel{.name = "level",
                          .types = Types::integer,
                          .doc = "1 is fast, 9 is small; 0 stores bodies as they are",
                          .default_json = "6",
                          .min = 0,
                          .max = 9};
constexpr Field kPattern{
    .name = "pattern", .traits = Traits::glob, .doc = "only files whose name matches, whatever their folder"};

constexpr std::array kGzipPackFields{kPackSource, kGzipLevel};
constexpr std::array kZstdPackFields{kPackSource, kZstdLevel};
constexpr std::array kUnpackFields{kSource, kRatio};
constexpr std::array kZipListFields{kZip, kPattern};
constexpr std::array kZipUnpackFields{kZip, Field{.name = "entry", .doc = "the name of one file, with its folders"},
                                      kPattern, kRatio};
constexpr std::array kZipItem{
    Field{.name = "name", .traits = Traits::required, .doc = "of the file in the ZIP; folders with `/`"},
    Field{.name = "source", .types = Types::body, .traits = Traits::required, .doc = "the body that becomes the file"}};
constexpr std::array kZipPackFields{Field{.name = "entries",
                                          .types = Types::list,
                                          .traits = Traits::required,
                                          .doc = "what goes into the ZIP, in this order",
                                          .inside = kZipItem},
                                    kZipLevel};

constexpr std::array kBodyOutput{OutputField{"file", Types::body, "the bytes, in the agent's spool"}};
constexpr std::array kListOutput{
    OutputField{"entries", Types::list, "the files: `name`, `size`, `packed`, `encrypted`; at most 1,000"},
    OutputField{"count", Types::integer, "how many `entries` holds"}};
constexpr std::array kFilesOutput{
    OutputField{"files", Types::list, "bodies in the agent's spool, each with its name in `entry`; at most 1,000"},
    OutputField{"count", Types::integer, "how many `files` holds"}};
constexpr std::array kZipOutput{OutputField{"file", Types::body, "the ZIP, in the agent's spool"},
                                OutputField{"count", Types::integer, "how many files it holds"}};

constexpr ActionInfo on_body(std::string_view name, std::string_view doc, std::span<const Field> fields) {
  return {.name = name,
          .doc = doc,
          .fields = fields,
          .output = kBodyOutput,
          .effect = Effect::none,
          .repeat = Repeat::safe,
          .error_classes = kWriteErrors,
          .dry_run = DryRun::runs};
}

constexpr std::array kActions{
    on_body("gzip.pack@1", "Packs a body as gzip (RFC 1952).", kGzipPackFields),
    on_body("gzip.unpack@1", "Unpacks a gzip, also of several members.", kUnpackFields),
    on_body("zstd.pack@1", "Packs a body as Zstandard (RFC 8878), with a checksum.", kZstdPackFields),
    on_body("zstd.unpack@1", "Unpacks Zstandard, also of several frames; windows up to 8 MiB.", kUnpackFields),
    ActionInfo{.name = "zip.list@1",
               .doc = "Lists the files of a ZIP, in the order of their places in it. A ZIP with a name that leaves its "
                      "folder, with a symbolic link, a name twice or entries over each other is refused (`format`).",
               .fields = kZipListFields,
               .output = kListOutput,
               .effect = Effect::none,
               .repeat = Repeat::safe,
               .error_classes = kReadErrors,
               .dry_run = DryRun::runs},
    ActionInfo{.name = "zip.unpack@1",
               .doc = "Unpacks files of a ZIP, stored or packed by DEFLATE. Refuses what `zip.list` refuses, and what "
                      "is encrypted.",
               .fields = kZipUnpackFields,
               .exactly_one = kEntryOrPattern,
               .output = kFilesOutput,
               .effect = Effect::none,
               .repeat = Repeat::safe,
               .error_classes = kWriteErrors,
               .dry_run = DryRun::runs},
    ActionInfo{.name = "zip.pack@1",
               .doc = "Packs bodies into a ZIP. The same bodies make the same bytes: no time is kept.",
               .fields = kZipPackFields,
               .output = kZipOutput,
               .effect = Effect::none,
               .repeat = Repeat::safe,
               .error_classes = kWriteErrors,
               .dry_run = DryRun::runs},
};

}  // namespace

std::span<const ActionInfo> archive() { return kActions; }

}  // namespace sallyport::recipe::tables
