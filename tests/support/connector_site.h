#pragma once

#include "agent/connectors/connector.h"
#include "agent/connectors/site.h"
#include "shared/recipe/catalogue.h"
#include "tests/support/temp_dir.h"

#include <catch2/catch.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

namespace sallyport::test {

// Bodies with a plain spool in files: what the runner's encrypted one looks like from a connector.
class SpoolBodies final : public connectors::Bodies {
 public:
  using Handle = sallyport::Handle;
  explicit SpoolBodies(std::string directory) : directory_(std::move(directory)) {}
  void add(std::unique_ptr<connectors::HandleOpener> opener) {
    openers_[std::string(opener->kind())] = std::move(opener);
  }

  connectors::StepResult<std::unique_ptr<connectors::ByteReader>> open_bytes(const Handle& handle) override {
    if (handle.kind == "spool") return open_spool(handle);
    const auto opener = openers_.find(handle.kind);
    if (opener == openers_.end()) return connectors::step_fail("invalid", "no opener for " + handle.kind);
    return opener->second->open_bytes(handle, *this);
  }
  connectors::StepResult<std::unique_ptr<connectors::RowReader>> open_rows(const Handle& handle) override {
    const auto opener = openers_.find(handle.kind);
    if (opener == openers_.end()) return connectors::step_fail("invalid", "no opener for " + handle.kind);
    return opener->second->open_rows(handle, *this);
  }
  connectors::StepResult<std::unique_ptr<connectors::BodyWriter>> new_spool(std::string media_type) override {
    const auto path = directory_ + "/spool" + std::to_string(++count_);
    return std::make_unique<Writer>(path, std::move(media_type), fail_writes_after, fail_commits);
  }

  // A spool with this content.
  Handle put(std::string_view content) {
    auto writer = *new_spool("text/plain");
    REQUIRE(writer->write(as_bytes(content)));
    return *writer->commit({});
  }
  std::string content(const Handle& handle) {
    auto reader = open_bytes(handle);
    REQUIRE(reader);
    std::string text;
    std::vector<std::byte> buffer(65536);
    for (;;) {
      const auto got = (*reader)->read(buffer);
      REQUIRE(got);
      if (*got == 0) return text;
      text += as_text(std::span(buffer).first(*got));
    }
  }
  std::size_t fail_writes_after = SIZE_MAX;  // bytes; then class disk_full
  std::string fail_commits;                  // class; empty: they work

 private:
  class Writer final : public connectors::BodyWriter {
   public:
    Writer(std::string path, std::string media_type, std::size_t limit, std::string fail_commit)
        : path_(std::move(path)),
          media_type_(std::move(media_type)),
          fail_commit_(std::move(fail_commit)),
          out_(path_, std::ios::binary),
          limit_(limit) {}
    ~Writer() override {
      if (!committed_) ::unlink(path_.c_str());
    }
    connectors::StepResult<void> write(std::span<const std::byte> bytes) override {
      size_ += bytes.size();
      if (size_ > limit_) return connectors::step_fail("disk_full", "the spool is full");
      out_.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
      return {};
    }
    connectors::StepResult<Handle> commit(ValueMap attributes) override {
      if (!fail_commit_.empty()) return connectors::step_fail(fail_commit_, "the spool fails");
      out_.close();
      committed_ = true;
      attributes.insert_or_assign(Value("id"), Value(path_));
      attributes.insert_or_assign(Value("size"), Value(static_cast<std::int64_t>(size_)));
      attributes.insert_or_assign(Value("media_type"), Value(media_type_));
      return Handle{"spool", std::move(attributes)};
    }

   private:
    std::string path_, media_type_, fail_commit_;
    std::ofstream out_;
    std::size_t limit_, size_ = 0;
    bool committed_ = false;
  };

  class Reader final : public connectors::ByteReader {
   public:
    explicit Reader(const std::string& path) : in_(path, std::ios::binary) {}
    connectors::StepResult<std::size_t> read(std::span<std::byte> into) override {
      in_.read(reinterpret_cast<char*>(into.data()), static_cast<std::streamsize>(into.size()));
      return static_cast<std::size_t>(in_.gcount());
    }

   private:
    std::ifstream in_;
  };

  static connectors::StepResult<std::unique_ptr<connectors::ByteReader>> open_spool(const Handle& handle) {
    return std::make_unique<Reader>(handle.attributes.at(Value("id")).as_string());
  }

  std::string directory_;
  std::map<std::string, std::unique_ptr<connectors::HandleOpener>> openers_;
  int count_ = 0;
};

// One agent's site for connector tests: two configuration texts, a folder, bodies, and a step to run actions in.
// `@DIR@` in the texts is the folder.
class ConnectorSite {
 public:
  ConnectorSite(std::string connections, std::string policy)
      : bodies(spool_.path()),
        connections_(load_connections(filled(std::move(connections)))),
        policy_(load_policy(filled(std::move(policy)))) {}

  connectors::Site site() { return {connections_, policy_, vault_, clock_, log_, &refresh_tokens_}; }
  std::string logged() const { return sink_.text(); }

  // As the runner does it: arguments are completed from the catalogue (left alone when they do not fit it), and neither
  // the output nor an error has a field or a class that the catalogue does not name.
  connectors::StepResult<Value> run(connectors::Action& action, ValueMap arguments, std::string_view connection = {}) {
    auto output = run_in(action, std::move(arguments), connection,
                         [](auto& of, const auto& context, const Value& given) { return of.run(context, given); });
    if (!output) return std::unexpected(std::move(output).error());
    return std::move(output->value);
  }
  // The same for what a dry run does with it.
  connectors::StepResult<connectors::Output> dry_run(connectors::Action& action, ValueMap arguments,
                                                     std::string_view connection = {}) {
    return run_in(action, std::move(arguments), connection,
                  [](auto& of, const auto& context, const Value& given) { return of.dry_run(context, given); });
  }

 private:
  template <class Call>
  connectors::StepResult<connectors::Output> run_in(connectors::Action& action, ValueMap arguments,
                                                    std::string_view connection, Call call) {
    const auto* info = recipe::find_action(action.name());
    if (info == nullptr) throw std::runtime_error("not in the catalogue: " + std::string(action.name()));
    const Value given(std::move(arguments));
    const auto bound = recipe::bind_arguments(*info, given);
    const connectors::StepContext context{job,        "step",           attempt, idempotency_key, connection,
                                          deadline(), stop.get_token(), bodies,  repeated};
    auto output = call(action, context, bound ? *bound : given);
    if (!output) {
      check_classes(*info, output.error());
      return std::unexpected(std::move(output).error());
    }
    if (output->plan == connectors::Plan::planned) return output;
    for (const auto& [name, value] : output->value.as_map()) {
      const bool known =
          std::ranges::any_of(info->output, [&](const auto& field) { return field.name == name.as_string(); });
      if (!known) throw std::runtime_error("output not in the catalogue: " + name.as_string());
    }
    return output;
  }

 public:
  SteadyTime deadline() const { return std::chrono::steady_clock::now() + patience; }

  TempDir dir;
  JobId job{"job_01"};
  std::uint32_t attempt = 1;
  bool repeated = false;
  std::string idempotency_key = "key-1";
  std::chrono::milliseconds patience = std::chrono::seconds(30);
  std::stop_source stop;

 private:
  TempDir spool_;

 public:
  SpoolBodies bodies;

 private:
  // "sqlstate:...", "exit:..." are more precise words for a class; any action can be cancelled or have a fault.
  static void check_classes(const recipe::ActionInfo& info, const connectors::StepError& error) {
    for (const auto& word : error.classes) {
      if (word == "cancelled" || word == "internal" || word.contains(':')) continue;
      if (std::ranges::find(info.error_classes, word) == info.error_classes.end())
        throw std::runtime_error(std::string(info.name) + ": error class not in the catalogue: " + word);
    }
  }
  std::string filled(std::string text) const {
    for (std::size_t at = 0; (at = text.find("@DIR@", at)) != std::string::npos;) text.replace(at, 5, dir.path());
    return text;
  }
  static policy::Connections load_connections(const std::string& text) {
    auto loaded = policy::parse_connections(text, "connections.yaml", "/");
    if (!loaded) throw std::runtime_error(yaml::to_string(loaded.error().front()));
    return *std::move(loaded);
  }
  static policy::Policy load_policy(const std::string& text) {
    auto loaded = policy::parse_policy(text, "policy.yaml", "/");
    if (!loaded) throw std::runtime_error(yaml::to_string(loaded.error().front()));
    return *std::move(loaded);
  }

  // Steps log from several threads.
  class TextSink final : public LogSink {
   public:
    void write(std::string_view line) override {
      const std::lock_guard lock(mutex_);
      text_ += std::string(line) + "\n";
    }
    std::string text() const {
      const std::lock_guard lock(mutex_);
      return text_;
    }

   private:
    mutable std::mutex mutex_;
    std::string text_;
  };

  policy::Connections connections_;
  policy::Policy policy_;
  vault::LocalVault vault_;
  vault::RefreshTokens refresh_tokens_{dir.path()};
  SystemClock clock_;
  TextSink sink_;
  Log log_{sink_, clock_};
};

inline ValueMap args(std::initializer_list<std::pair<const char*, Value>> entries) {
  ValueMap map;
  for (const auto& [key, value] : entries) map.emplace(Value(key), value);
  return map;
}

}  // namespace sallyport::test
