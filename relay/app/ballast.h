#pragma once

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
class Ballast final : public keys::Reserve {
 public:
  struct Place {
    std::string name;                // "keys"
    std::filesystem::path database;  // the file lies in its folder
    std::uintmax_t least = 0;        // bytes; more when the database is larger,
    std::uintmax_t most = 0;         // and no more than this
  };
  Ballast(std::vector<Place> places, const Log& log, Metrics& metrics);

  bool release() override;
  void refill() override;

  static std::filesystem::path file_of(const std::filesystem::path& database) { return database.string() + ".ballast"; }

 private:
  void tell(const Place& place, bool full);

  std::vector<Place> places_;
  const Log& log_;
  Metrics& metrics_;
};

}  // namespace sallyport::app
