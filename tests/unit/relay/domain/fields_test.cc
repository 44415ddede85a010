#include "relay/domain/fields.h"

#include "relay/domain/inventory.h"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>

using namespace sallyport;
using namespace sallyport::domain;

TEST_CASE("a stored field that nobody has classified is secret", "[fields]") {
  CHECK(class_of("users", "email") == FieldClass::sensitive);
  CHECK(class_of("jobs", "state") == FieldClass::public_);
  for (const auto& [table, column] : {std::pair{"users", "passport"}, {"user", "email"}, {"", ""}, {"state", "jobs"}}) {
    INFO(table << "." << column);
    CHECK(find_field(table, column) == nullptr);
    CHECK(class_of(table, column) == FieldClass::secret);
  }
}

TEST_CASE("every stored field stands once, with its table's others", "[fields]") {
  std::set<std::string> seen, tables;
  std::string_view last;
  for (const auto& field : fields()) {
    const std::string name = std::string(field.table) + "." + std::string(field.column);
    INFO(name);
    CHECK(seen.insert(name).second);
    if (field.table != last) CHECK(tables.insert(std::string(field.table)).second);
    last = field.table;
    CHECK(find_field(field.table, field.column) == &field);
  }
}

TEST_CASE("what is secret is not stored in clear, and only what is sealed is named so", "[fields]") {
  std::set<std::string_view> records;
  for (const auto& field : fields()) {
    INFO(field.table << "." << field.column);
    CHECK((field.is == FieldClass::secret) == (field.kept != Kept::clear));
    CHECK((field.kept == Kept::sealed) == field.column.starts_with("sealed_"));
    if (field.kept == Kept::hashed) CHECK(field.column.ends_with("_hash"));
    if (field.kept == Kept::sealed) CHECK(records.insert(field.record).second);
  }
  CHECK_FALSE(records.empty());
}

TEST_CASE("a sealed field is found by what its envelope names", "[fields]") {
  const auto* trigger = find_sealed("jobs", "trigger");
  REQUIRE(trigger != nullptr);
  CHECK(trigger == find_field("job_triggers", "sealed_trigger"));
  CHECK(trigger->retention == Retention::payload);
  CHECK(find_sealed("history", "text")->retention == Retention::logs);
  CHECK(find_sealed("jobs", "state") == nullptr);
  CHECK(find_sealed("", "") == nullptr);
  CHECK(find_sealed("jobs.trigger", "") == nullptr);
}

TEST_CASE("the published data inventory is the generated one", "[fields][golden]") {
  const std::string path = "docs/data-inventory.md";
  if (std::getenv("SALLYPORT_UPDATE_PUBLISHED") != nullptr) std::ofstream(path, std::ios::binary) << data_inventory();
  INFO(path << " is not what the code makes; write it anew with SALLYPORT_UPDATE_PUBLISHED=1");
  std::ifstream published(path, std::ios::binary);
  CHECK(std::string(std::istreambuf_iterator<char>(published), {}) == data_inventory());
}
