#pragma once

#include <string_view>

namespace sallyport::recipe {

// A step of a recipe that names a local secret.
struct SecretUse {
  std::string_view name;
  std::string_view action;      // "command.run@1"
  std::string_view connection;  // empty when the action takes none
  std::string_view command;     // of command.run@1: the name of its template
  std::string_view recipe;
};

}  // namespace sallyport::recipe
