#include "agent/connectors/xml/xml_actions.h"

#include "agent/connectors/arguments.h"
#include "agent/connectors/rows.h"
#include "agent/connectors/xml/xml_rows.h"
#include "agent/connectors/xml/xml_writer.h"

namespace sallyport::connectors::xml {
namespace {

class XmlRead final : public Action {
 public:
  explicit XmlRead(Site site) : site_(site) {}
  std::string_view name() const override { return "xml.read@1"; }

  StepResult<Output> run(const StepContext& context, const Value& values) override {
    const Arguments arguments(values);
    SP_CHECK(check_allowed(site_, context, name()));
    SP_CHECK(arguments.handle("source"));
    Handle rows{"rows", ValueMap{{Value("format"), Value(XmlFormat::kName)}}};
    for (const char* option : {"source", "row", "columns"}) {
      if (const auto* value = arguments.find(option)) rows.attributes.insert_or_assign(Value(option), *value);
    }
    SP_TRY(const auto reader, XmlFormat().open(rows, context.bodies));
    return Output{Value(rows_output(std::move(rows), reader->columns(), arguments.integer_or("batch", kDefaultBatch)))};
  }

 private:
  Site site_;
};

class XmlWrite final : public Action {
 public:
  explicit XmlWrite(Site site) : site_(site) {}
  std::string_view name() const override { return "xml.write@1"; }

  StepResult<Output> run(const StepContext& context, const Value& values) override {
    const Arguments arguments(values);
    SP_CHECK(check_allowed(site_, context, name()));
    SP_TRY(const auto* rows, arguments.any("rows"));
    SP_TRY(const auto reader, open_argument_rows(*rows, context.bodies));
    SP_TRY(const auto columns, WrittenColumns::of(arguments, *reader));
    SP_TRY(const auto attributes, name_list(arguments, "attributes"));
    SP_TRY(const auto writer,
           XmlWriter::make(arguments.text_or("root", "rows"), arguments.text_or("row", "row"), columns, attributes));
    const RowText text{.head = writer.head(),
                       .append = [&](std::string& out, const Value& row) { return writer.append_row(out, row); },
                       .tail = writer.tail()};
    SP_TRY(const auto spool, context.bodies.new_spool("application/xml"));
    SP_TRY(const auto count, write_rows(site_, context, *reader, text, *spool));
    SP_TRY(auto file, spool->commit({}));
    return Output{Value(ValueMap{{Value("file"), Value(std::move(file))}, {Value("count"), Value(count)}})};
  }

 private:
  Site site_;
};

}  // namespace

std::vector<std::unique_ptr<Action>> make_actions(Site site) {
  std::vector<std::unique_ptr<Action>> actions;
  actions.push_back(std::make_unique<XmlRead>(site));
  actions.push_back(std::make_unique<XmlWrite>(site));
  return actions;
}

}  // namespace sallyport::connectors::xml
