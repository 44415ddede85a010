#pragma once

#include <set>
#include <string>
#include <string_view>

// The reference of triggers and actions in Markdown, made from the catalogue: what docs/connectors/*.md have between
// their marks, and docs/actions.md.
namespace sallyport::recipe {

// The pages of docs/connectors that have one, without ".md": every trigger and action stands on exactly one of them.
std::set<std::string> reference_pages();
std::string page_reference(std::string_view page);  // empty for any other page
std::string catalogue_index();                      // docs/actions.md

}  // namespace sallyport::recipe
