#pragma once

#include "agent/connectors/archive/archive_actions.h"
#include "agent/connectors/file/file_handle.h"
#include "tests/support/connector_site.h"

#include <cstdlib>
#include <map>
#include <string>

namespace sallyport::test {

// The actions of the folder on an agent of their own.
struct ArchiveRig {
  ConnectorSite agent{"connections: {share: {kind: file, root: \"@DIR@\"}}",
                      "actions: [\"gzip.*\", \"zstd.*\", \"zip.*\"]\n"
                      "limits: {bytes: 1GiB}\n"
                      "connections: {share: {files: [{directory: ., allow: [read]}]}}"};
  std::map<std::string, std::unique_ptr<connectors::Action>, std::less<>> actions;

  ArchiveRig() {
    agent.bodies.add(std::make_unique<connectors::file::FileOpener>(agent.site()));
    for (auto& action : connectors::archive::make_actions(agent.site())) {
      const std::string name(action->name());
      actions[name] = std::move(action);
    }
  }
  connectors::StepResult<Value> run(std::string_view action, ValueMap arguments) {
    return agent.run(*actions.find(action)->second, std::move(arguments));
  }
  connectors::StepResult<Value> run_on(std::string_view action, std::string_view content, ValueMap options = {}) {
    options.emplace(Value("source"), Value(agent.bodies.put(content)));
    return run(action, std::move(options));
  }
  // The content of the body that the action makes of `content`, or the error.
  std::string made(std::string_view action, std::string_view content, ValueMap options = {}) {
    const auto output = run_on(action, content, std::move(options));
    if (!output) return output.error().error_class() + ": " + output.error().message;
    return agent.bodies.content(output->find("file")->as_handle());
  }
  // What another implementation does: a Python script that works in the agent's folder.
  void python(const std::string& script) const {
    std::ofstream(agent.dir.path() + "/script.py") << script;
    REQUIRE(std::system(("cd " + agent.dir.path() + " && python3 -W ignore script.py").c_str()) == 0);
  }
  std::string file(const std::string& name) const {
    std::ifstream in(agent.dir.path() + "/" + name, std::ios::binary);
    REQUIRE(in);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void put_file(const std::string& name, std::string_view content) const {
    std::ofstream(agent.dir.path() + "/" + name, std::ios::binary) << content;
  }
};

// A body of the kind "endless": as many bytes of a text that packs to a third or so as its attribute `size` says.
class EndlessBodies final : public connectors::HandleOpener {
 public:
  static Handle handle(std::int64_t size) { return {"endless", ValueMap{{Value("size"), Value(size)}}}; }
  std::string_view kind() const override { return "endless"; }
  connectors::StepResult<std::unique_ptr<connectors::ByteReader>> open_bytes(const Handle& handle,
                                                                             connectors::Bodies&) override {
    return std::make_unique<Reader>(static_cast<std::uint64_t>(handle.attributes.at(Value("size")).as_int()));
  }
  connectors::StepResult<std::unique_ptr<connectors::RowReader>> open_rows(const Handle&,
                                                                           connectors::Bodies&) override {
    return connectors::step_fail("invalid", "no rows");
  }

 private:
  class Reader final : public connectors::ByteReader {
   public:
    explicit Reader(std::uint64_t size) : left_(size) {}
    connectors::StepResult<std::size_t> read(std::span<std::byte> into) override {
      const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left_, into.size()));
      for (std::size_t i = 0; i < count; ++i) {
        state_ = state_ * 6364136223846793005u + 1442695040888963407u;
        into[i] = static_cast<std::byte>('a' + (state_ >> 61));
      }
      left_ -= count;
      return count;
    }

   private:
    std::uint64_t left_, state_ = 1;
  };
};

}  // namespace sallyport::test
