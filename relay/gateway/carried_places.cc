#include "relay/gateway/carried_places.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace sallyport::gateway {
namespace {

constexpr std::size_t kUnprovenPart = 4;  // one of so many parts is theirs

}  // namespace

struct CarriedPlaces::Books {
  explicit Books(std::size_t all) : places(all), unproven(std::max<std::size_t>(1, all / kUnprovenPart)) {}
  std::size_t places;
  std::size_t taken = 0;
  FairShare unproven;
};

CarriedPlaces::CarriedPlaces(std::size_t places) : books_(std::make_shared<Books>(places)) {}

CarriedPlaces::Place::Place(std::shared_ptr<Books> books, std::string source)
    : books_(std::move(books)), source_(std::move(source)) {
  books_->unproven.take(source_);
  ++books_->taken;
}

CarriedPlaces::Place::~Place() {
  proved();
  --books_->taken;
}

void CarriedPlaces::Place::proved() {
  if (std::exchange(unproven_, false)) books_->unproven.give_back(source_);
}

Result<std::shared_ptr<CarriedPlaces::Place>> CarriedPlaces::take(const std::string& source) {
  if (books_->taken >= books_->places) {
    return fail(Errc::unavailable,
                fmt::format("all {} places of this relay for links over HTTPS are taken; try again later, or dial the "
                            "agents' port",
                            books_->places));
  }
  if (!books_->unproven.has_place_for(source))
    return fail(Errc::unavailable, "too many that come over HTTPS have not proved who they are; try again later");
  return std::make_shared<Place>(books_, source);
}

std::size_t CarriedPlaces::taken() const { return books_->taken; }

}  // namespace sallyport::gateway
