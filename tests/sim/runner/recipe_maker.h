#pragma once

#include "shared/recipe/model.h"
#include "tests/sim/runner/dice.h"

#include <memory>
#include <string>

namespace sallyport::sim {

// A random recipe of every kind of step and control word, always valid.
std::string make_recipe(Dice& dice);

}  // namespace sallyport::sim
