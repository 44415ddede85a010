#pragma once

#include "shared/base/value.h"

#include <string>

namespace sallyport::recipe {

// The JSON Schema (draft 2020-12) of recipes, made from the catalogue and the tables of the model; published as
// docs/schemas/recipe.schema.json. Editors complete and check with it; the loader checks more than a schema can say.
Value recipe_schema();
std::string recipe_schema_text();  // indented, ends with a line break: the content of the published file

}  // namespace sallyport::recipe
