#include "relay/app/archive_places.h"

#include "relay/app/key_provider.h"
#include "relay/archive/directory_place.h"
#include "relay/archive/s3_place.h"

#include <fmt/format.h>

namespace sallyport::app {
namespace {

struct Maker {
  const DataDirectory& data;
  const Clock& clock;

  Result<std::unique_ptr<archive::Place>> operator()(const DirectoryArchive& settings) const {
    if (lies_in(settings.directory, data.root) || lies_in(data.root, settings.directory)) {
      return fail(Errc::invalid,
                  fmt::format("{}: an archive is no part of the relay's data ({}), nor around it: name a "
                              "directory elsewhere",
                              settings.directory.string(), data.root.string()));
    }
    return archive::make_directory_place(settings.directory);
  }
  Result<std::unique_ptr<archive::Place>> operator()(const S3Archive& settings) const {
    archive::S3Config config{.endpoint = settings.endpoint,
                             .region = settings.region,
                             .bucket = settings.bucket,
                             .prefix = settings.prefix,
                             .ca_file = settings.ca_file};
    config.style = settings.style == "host" ? archive::BucketStyle::host : archive::BucketStyle::path;
    config.credentials = aws_credentials_in(settings.credentials_file);
    return archive::make_s3_place(std::move(config), clock);
  }
};

}  // namespace

Result<archive::Places> make_archives(const DataDirectory& data, const ArchiveSettings& settings, const Clock& clock) {
  archive::Places places;
  for (const auto& [name, one] : settings) {
    auto made = std::visit(Maker{data, clock}, one);
    if (!made) return in_context("archives." + name + " (relay.yaml)", std::move(made).error());
    places.emplace(name, *std::move(made));
  }
  return places;
}

}  // namespace sallyport::app
