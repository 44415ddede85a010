#include "relay/store/extracts.h"

#include "relay/domain/fields.h"
#include "relay/store/erasures.h"

#include <algorithm>
#include <array>

namespace sallyport::store {
namespace {

using domain::About;
using domain::Field;
using domain::Kept;

constexpr std::array<std::string_view, 1> kLeftOut{"job_keys"};  // hours of keys, which say nothing of a job

bool is_own_business(const Field& field) {
  return field.about == About::key_material || field.about == About::operational;
}

bool is_given(const Field& field) {
  return field.about != About::key_material &&
         (field.kept == Kept::clear || (field.kept == Kept::sealed && field.about != About::operational));
}

bool is_given_of_person(const Field& field) {
  return field.kept == Kept::clear && (field.about == About::person || field.is == FieldClass::public_);
}

}  // namespace

std::vector<ExtractTable> extract_of_organisation() {
  std::vector<ExtractTable> tables;
  for (const auto& field : domain::fields()) {
    if (std::ranges::find(kLeftOut, field.table) != kLeftOut.end()) continue;
    if (tables.empty() || tables.back().table != field.table) {
      const bool itself = field.table == "organisations";
      tables.push_back({std::string(field.table), {}, itself ? "id = ?1" : "org = ?1"});
    }
    if (is_given(field)) tables.back().columns.emplace_back(field.column);
  }
  std::erase_if(tables, [](const ExtractTable& one) {
    const auto rest = [&](const Field& field) { return field.table == one.table && !is_own_business(field); };
    const bool is_of_some = one.table == "organisations" || domain::find_field(one.table, "org") != nullptr;
    return !is_of_some || std::ranges::none_of(domain::fields(), rest);
  });
  return tables;
}

std::vector<ExtractTable> extract_of_person() {
  std::vector<ExtractTable> tables;
  for (const auto& trace : person_traces()) {
    ExtractTable table{std::string(trace.table), {}, std::string(trace.where)};
    for (const auto& field : domain::fields()) {
      if (field.table == trace.table && is_given_of_person(field)) table.columns.emplace_back(field.column);
    }
    tables.push_back(std::move(table));
  }
  return tables;
}

}  // namespace sallyport::store
