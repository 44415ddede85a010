#pragma once

#include "shared/async/sources.h"
#include "shared/base/result.h"

#include <memory>

namespace sallyport::gateway {

// How many connections of agents there are that came through the web API, each of which holds a place of a person's
// there. Those that have not proved who they are share a quarter of the places, and of that one source holds at most as
// many as are free (FairShare): whoever proves nothing keeps nobody's link out for long. No IO and no clock.
class CarriedPlaces {
 private:
  struct Books;

 public:
  explicit CarriedPlaces(std::size_t places);

  // Given back when it dies; outlives the books.
  class Place {
   public:
    Place(std::shared_ptr<Books> books, std::string source);
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place();
    void proved();  // who it is: others of its source get their turn

   private:
    std::shared_ptr<Books> books_;
    std::string source_;
    bool unproven_ = true;
  };

  // `source` as source_of() says. Errc::unavailable says what is taken.
  Result<std::shared_ptr<Place>> take(const std::string& source);
  std::size_t taken() const;

 private:
  std::shared_ptr<Books> books_;
};

}  // namespace sallyport::gateway
