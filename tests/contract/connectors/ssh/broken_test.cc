// Servers that hang, go away and come back.
#include "tests/contract/connectors/ssh/partner.h"

#include <thread>

using namespace sallyport;
using namespace sallyport::test;
using connectors::StepResult;

namespace {

std::string some_megabytes() {
  std::string text;
  while (text.size() < 6u << 20) text += std::to_string(text.size()) + ";";
  return text;
}

// Does something once, in the middle of a body.
struct Interruption {
  std::size_t at;
  std::function<void()> act;
  std::size_t passed = 0;
  bool done = false;
  void pass(std::size_t bytes) {
    passed += bytes;
    if (!done && passed > at) done = true, act();
  }
};

class InterruptedReader final : public connectors::ByteReader {
 public:
  InterruptedReader(std::string text, Interruption& interruption)
      : text_(std::move(text)), interruption_(interruption) {}
  StepResult<std::size_t> read(std::span<std::byte> into) override {
    const auto count = std::min({into.size(), text_.size() - at_, std::size_t{65'536}});
    std::ranges::copy(as_bytes(text_).subspan(at_, count), into.begin());
    at_ += count;
    interruption_.pass(count);
    return count;
  }

 private:
  std::string text_;
  std::size_t at_ = 0;
  Interruption& interruption_;
};

class InterruptedWriter final : public connectors::BodyWriter {
 public:
  InterruptedWriter(std::string& text, Interruption& interruption) : text_(text), interruption_(interruption) {}
  StepResult<void> write(std::span<const std::byte> bytes) override {
    text_ += as_text(bytes);
    interruption_.pass(bytes.size());
    return {};
  }
  StepResult<Handle> commit(ValueMap) override { return Handle{"spool", {}}; }

 private:
  std::string& text_;
  Interruption& interruption_;
};

struct InterruptedBodies final : connectors::Bodies {
  explicit InterruptedBodies(Interruption& by) : interruption(by) {}
  StepResult<std::unique_ptr<connectors::ByteReader>> open_bytes(const Handle&) override {
    return std::make_unique<InterruptedReader>(source, interruption);
  }
  StepResult<std::unique_ptr<connectors::RowReader>> open_rows(const Handle&) override {
    return connectors::step_fail("invalid", "no rows");
  }
  StepResult<std::unique_ptr<connectors::BodyWriter>> new_spool(std::string) override {
    return std::make_unique<InterruptedWriter>(received, interruption);
  }
  Interruption& interruption;
  std::string source, received;
};

StepResult<connectors::Output> run(Partner& partner, std::size_t action, ValueMap arguments,
                                   connectors::Bodies& bodies) {
  const connectors::StepContext context{
      partner.agent.job, "step", 1, "key", "partner", partner.agent.deadline(), partner.agent.stop.get_token(), bodies};
  return partner.actions.at(action)->run(context, Value(std::move(arguments)));
}
constexpr std::size_t kGet = 0, kPut = 1;

ValueMap put_large() { return args({{"path", "large"}, {"source", Value(Handle{"spool", {}})}}); }

}  // namespace

TEST_CASE("a download goes on where its connection broke", "[sftp][resume]") {
  Partner partner;
  const auto text = some_megabytes();
  partner.server.files().write("large", text);
  Interruption interruption{2u << 20, [&] { partner.server.cut(); }};
  InterruptedBodies bodies(interruption);
  const auto got = run(partner, kGet, args({{"path", "large"}}), bodies);
  INFO((got ? "" : got.error().message));
  REQUIRE(got);
  CHECK(bodies.received == text);
}

TEST_CASE("an upload goes on where its connection broke", "[sftp][resume]") {
  Partner partner;
  Interruption interruption{3u << 20, [&] { partner.server.cut(); }};
  InterruptedBodies bodies(interruption);
  bodies.source = some_megabytes();
  const auto put = run(partner, kPut, put_large(), bodies);
  INFO((put ? "" : put.error().message));
  REQUIRE(put);
  CHECK(partner.server.files().read("large") == bodies.source);
  CHECK(names_in(partner.server.files()) == "large");
}

TEST_CASE("a file that changed meanwhile is not pieced together", "[sftp][resume]") {
  Partner partner;
  const auto text = some_megabytes();
  partner.server.files().write("large", text);
  std::filesystem::last_write_time(partner.server.files() / "large",
                                   std::filesystem::file_time_type::clock::now() - std::chrono::hours(1));
  Interruption interruption{2u << 20, [&] {
                              partner.server.cut();
                              partner.server.files().write("large", std::string(text.rbegin(), text.rend()));
                            }};
  InterruptedBodies bodies(interruption);
  const auto got = run(partner, kGet, args({{"path", "large"}}), bodies);
  REQUIRE_FALSE(got);
  CHECK(got.error().error_class() == "changed");
}

TEST_CASE("a server that is gone for good", "[sftp][connection]") {
  Partner partner;
  partner.server.files().write("large", some_megabytes());
  Interruption interruption{2u << 20, [&] { partner.server.stop(); }};
  InterruptedBodies bodies(interruption);
  const auto got = run(partner, kGet, args({{"path", "large"}}), bodies);
  REQUIRE_FALSE(got);
  CHECK(got.error().error_class() == "connection");
  CHECK(got.error().message.find("127.0.0.1") == std::string::npos);
  CHECK(class_of(partner.get("large")) == "connection");
}

TEST_CASE("a server that hangs ends with the deadline, or with its own silence", "[sftp][timeout]") {
  Partner partner({}, ", keep_alive: 1s");
  partner.server.files().write("a", "1");
  REQUIRE(partner.get("a"));
  partner.server.pause();
  partner.agent.patience = std::chrono::milliseconds(700);
  CHECK(class_of(partner.get("a")) == "timeout");
  partner.server.resume();
  partner.agent.patience = std::chrono::seconds(30);
  REQUIRE(partner.get("a"));
  partner.server.pause();
  CHECK(class_of(partner.run("sftp.list@1", args({{"path", "."}}))) == "connection");
  partner.server.resume();
}

TEST_CASE("a stop ends a step in the middle", "[sftp][cancel]") {
  Partner partner;
  partner.server.files().write("large", some_megabytes());
  Interruption interruption{1u << 20, [&] {
                              partner.server.pause();
                              partner.agent.stop.request_stop();
                            }};
  InterruptedBodies bodies(interruption);
  const auto got = run(partner, kGet, args({{"path", "large"}}), bodies);
  partner.server.resume();
  REQUIRE_FALSE(got);
  CHECK(got.error().error_class() == "cancelled");
}

TEST_CASE("a source that fails leaves nothing on the server", "[sftp]") {
  Partner partner;
  struct Failing final : connectors::ByteReader {
    StepResult<std::size_t> read(std::span<std::byte> into) override {
      if (++reads > 40) return connectors::step_fail("disk_full", "the source fails");
      std::ranges::fill(into, std::byte{7});
      return into.size();
    }
    int reads = 0;
  };
  struct FailingBodies final : connectors::Bodies {
    StepResult<std::unique_ptr<connectors::ByteReader>> open_bytes(const Handle&) override {
      return std::make_unique<Failing>();
    }
    StepResult<std::unique_ptr<connectors::RowReader>> open_rows(const Handle&) override {
      return connectors::step_fail("invalid", "no rows");
    }
    StepResult<std::unique_ptr<connectors::BodyWriter>> new_spool(std::string) override {
      return connectors::step_fail("invalid", "no spool");
    }
  } bodies;
  const auto put = run(partner, kPut, put_large(), bodies);
  REQUIRE_FALSE(put);
  CHECK(put.error().error_class() == "disk_full");
  CHECK(names_in(partner.server.files()).empty());
}
