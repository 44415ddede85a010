#pragma once

#include <string_view>

namespace sallyport::connectors::xml {

// Whether it is a name without a colon (Namespaces in XML 1.0, NCName), in UTF-8.
bool is_xml_name(std::string_view text);
// Whether it is UTF-8 of which every character may stand in a document (XML 1.0, production 2).
bool is_xml_text(std::string_view text);

}  // namespace sallyport::connectors::xml
