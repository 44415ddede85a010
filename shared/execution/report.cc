#include "shared/execution/report.h"

#include "shared/base/json.h"

namespace sallyport::execution::report {
namespace {

class Redaction {
 public:
  explicit Redaction(const Redactor& redactor) : redactor_(redactor) {}

  void operator()(JobStarted& body) const { json(body.trigger_json), text(body.event_key); }
  void operator()(StepStarted& body) const { json(body.input_json); }
  void operator()(StepFinished& body) const { json(body.output_json), text(body.message); }
  void operator()(StepLog& body) const { text(body.text); }
  void operator()(JobFinished& body) const { text(body.message); }
  void operator()(AgentEvent& body) const { text(body.message); }

 private:
  void text(std::string& member) const {
    if (auto made = redactor_.redact(member)) member = *std::move(made);
  }
  // A secret with quotes in it may be what held the JSON together.
  void json(std::string& member) const {
    auto made = redactor_.redact(member);
    if (made) member = parse_stored_json(*made) ? *std::move(made) : "\"***\"";
  }

  const Redactor& redactor_;
};

struct Payload {
  std::optional<Body> operator()(JobStarted body) const {
    body.trigger_json.clear();
    return body;
  }
  std::optional<Body> operator()(StepStarted body) const {
    body.input_json.clear();
    return body;
  }
  std::optional<Body> operator()(StepFinished body) const {
    body.output_json.clear();
    body.message.clear();
    return body;
  }
  std::optional<Body> operator()(const StepLog&) const { return std::nullopt; }
  std::optional<Body> operator()(JobFinished body) const {
    body.message.clear();
    return body;
  }
  std::optional<Body> operator()(AgentEvent body) const {
    body.message.clear();
    return body;
  }
};

}  // namespace

Body redacted(Body body, const Redactor& redactor) {
  std::visit(Redaction(redactor), body);
  return body;
}

std::optional<Body> without_payload(Body body) { return std::visit(Payload{}, std::move(body)); }

}  // namespace sallyport::execution::report
