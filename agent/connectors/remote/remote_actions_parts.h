#pragma once

#include "agent/connectors/remote/remote_actions.h"

#include <string>

namespace sallyport::connectors::remote {

using ServersPtr = std::shared_ptr<const Servers>;

class RemoteAction : public Action {
 public:
  RemoteAction(const Site& site, ServersPtr servers, std::string name)
      : site_(site), servers_(std::move(servers)), name_(std::move(name)) {}
  std::string_view name() const override { return name_; }
  StepResult<Output> run(const StepContext& context, const Value& values) override;

 protected:
  // After the local policy has let the action run on this connection.
  virtual StepResult<Output> run_on(Access& access, const Arguments& arguments) const = 0;

 private:
  Site site_;
  ServersPtr servers_;
  std::string name_;
};

std::unique_ptr<Action> make_get(const Site& site, ServersPtr servers, std::string name);
std::unique_ptr<Action> make_put(const Site& site, ServersPtr servers, std::string name);
std::unique_ptr<Action> make_list(const Site& site, ServersPtr servers, std::string name);
std::unique_ptr<Action> make_move(const Site& site, ServersPtr servers, std::string name);
std::unique_ptr<Action> make_delete(const Site& site, ServersPtr servers, std::string name);

}  // namespace sallyport::connectors::remote
