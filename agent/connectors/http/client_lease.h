#pragma once

#include "agent/connectors/http/client.h"

#include <memory>
#include <utility>

namespace sallyport::connectors::http {

// A place at the server, for one step at a time.
class Client::Lease {
 public:
  Lease(Client& client, std::unique_ptr<Transfer> transfer) : client_(&client), transfer_(std::move(transfer)) {}
  Lease(Lease&& other) noexcept = default;
  Lease& operator=(Lease&&) = delete;
  ~Lease() {
    if (transfer_) client_->give_back(std::move(transfer_));
  }
  Transfer& transfer() const { return *transfer_; }

 private:
  Client* client_;
  std::unique_ptr<Transfer> transfer_;
};

}  // namespace sallyport::connectors::http
