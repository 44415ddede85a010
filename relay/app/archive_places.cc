#include "relay/app/archive_places.h"

#include "relay/app/key_provider.h"
#include "relay/archive/directory_place.h"
#include "relay/archive/s3_place.h"
#include "relay/keys/private_file.h"

#include <fmt/format.h>

namespace sallyport::app {
namespace {

constexpr std::size_t kMostCredentials = 8'192;

Result<keys::AwsCredentials> read_credentials(const std::string& file) {
  SP_TRY(const auto text, keys::read_private_file(file, kMostCredentials));
  auto credentials = parse_aws_credentials(text.reveal());
  if (!credentials) return in_context(file, std::move(credentials).error());
  return credentials;
}

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
    config.credentials = [file = settings.credentials_file] { return read_credentials(file); };
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
