#pragma once

#include "relay/app/settings.h"
#include "relay/keys/reserve.h"
#include "shared/base/log.h"
#include "shared/base/metrics.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace sallyport::app {

// One file beside each database, as large as the log of what shreds in it may get: it is removed when the disk is full,
// and made again when there is twice the room. Tells of both (`disk.full`, `disk.has_room`). Blocks for a moment.
// Before it is there, at a start, what an earlier process holds back can be lent.
class Ballast final : public keys::Reserve {
 public:
  struct Place {
    std::string name;                // "keys"
    std::filesystem::path database;  // the file lies in its folder
    std::uintmax_t least = 0;        // bytes; more when the database is larger,
    std::uintmax_t most = 0;         // and no more than this
  };
  static std::vector<Place> places_of(const DataDirectory& data);
  Ballast(std::vector<Place> places, const Log& log, Metrics& metrics);

  // Gives back a little of what is held on a full disk, so that databases can be opened whose relay was killed there:
  // half of the least stays, however often that is. false: no disk is full, or there is nothing to give.
  static bool lend(const std::vector<Place>& places, const Log& log);

  bool release() override;
  void refill() override;

  static std::filesystem::path file_of(const std::filesystem::path& database) { return database.string() + ".ballast"; }

 private:
  void tell(const Place& place, bool full);

  std::vector<Place> places_;
  const Log& log_;
  Metrics& metrics_;
};

// What `open` gives; on a full disk that a killed relay left, with some room lent to it.
template <class Open>
auto open_on_full_disk(const DataDirectory& data, const Log& log, Open open) {
  auto opened = open();
  const bool may_be_full = !opened && opened.error().code == Errc::unavailable;
  return may_be_full && Ballast::lend(Ballast::places_of(data), log) ? open() : std::move(opened);
}

}  // namespace sallyport::app
