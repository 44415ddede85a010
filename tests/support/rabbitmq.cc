#include "tests/support/rabbitmq.h"

#include "tests/support/free_port.h"

#include <signal.h>

#include <cstdlib>
#include <set>

namespace sallyport::test {
namespace {

std::uint16_t another_port(std::set<std::uint16_t>& taken) {
  for (;;) {
    const auto port = free_port();
    if (taken.insert(port).second) return port;
  }
}

}  // namespace

RabbitMq::RabbitMq(const Files& files, const std::string& definitions) {
  std::set<std::uint16_t> taken;
  for (auto* port : {&port_, &tls_port_, &distribution_port_, &names_port_}) *port = another_port(taken);
  const auto listens = [](const char* kind, std::uint16_t port) {
    return std::string("listeners.") + kind + ".1 = 127.0.0.1:" + std::to_string(port) + "\n";
  };
  dir_.write("rabbitmq.conf",
             listens("tcp", port_) + listens("ssl", tls_port_) + "ssl_options.cacertfile = " + files.ca +
                 "\nssl_options.certfile = " + files.certificate + "\nssl_options.keyfile = " + files.key +
                 "\nssl_options.verify = verify_peer\nssl_options.fail_if_no_peer_cert = false\n"
                 "ssl_options.depth = 3\n"
                 "auth_mechanisms.1 = PLAIN\nauth_mechanisms.2 = EXTERNAL\n"
                 "ssl_cert_login_from = subject_alternative_name\nssl_cert_login_san_type = uri\n"
                 "ssl_cert_login_san_index = 0\n"
                 "loopback_users = none\nlog.console = true\nlog.file = false\n"
                 "vm_memory_high_watermark.absolute = 4GB\ndisk_free_limit.absolute = 1MB\n"
                 "load_definitions = " +
                 dir_.path("definitions.json") + "\n");
  dir_.write("definitions.json", definitions);
  dir_.write("plugins", "[rabbitmq_auth_mechanism_ssl].\n");
  // The registry of Erlang's nodes: of its own, so that none is left running.
  names_ = std::make_unique<RunningServer>(
      std::vector<std::string>{"epmd", "-port", std::to_string(names_port_), "-address", "127.0.0.1"},
      dir_.path("epmd.log"));
  names_->wait_until([&] { return takes_connections(names_port_); });
  const auto set = [&](const char* name, const std::string& value) { return std::string(name) + "=" + value; };
  server_ = std::make_unique<RunningServer>(
      std::vector<std::string>{
          "env", set("HOME", dir_.path()), set("RABBITMQ_NODENAME", "test" + std::to_string(port_) + "@localhost"),
          set("RABBITMQ_CONFIG_FILE", dir_.path("rabbitmq.conf")), set("RABBITMQ_CONF_ENV_FILE", "/dev/null"),
          set("RABBITMQ_MNESIA_BASE", dir_.path("data")), set("RABBITMQ_LOG_BASE", dir_.path("log")),
          set("RABBITMQ_FEATURE_FLAGS_FILE", dir_.path("features")),
          set("RABBITMQ_GENERATED_CONFIG_DIR", dir_.path("generated")), set("RABBITMQ_PID_FILE", dir_.path("pid")),
          set("RABBITMQ_ENABLED_PLUGINS_FILE", dir_.path("plugins")),
          set("RABBITMQ_DIST_PORT", std::to_string(distribution_port_)),
          set("ERL_EPMD_PORT", std::to_string(names_port_)), set("ERL_EPMD_ADDRESS", "127.0.0.1"),
          set("RABBITMQ_ALLOW_INPUT", "1"),  // the script becomes the server
          set("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
              "-noinput -start_epmd false +S 1:1 +sbwt none -kernel inet_dist_use_interface {127,0,0,1}"),
          "/usr/lib/rabbitmq/bin/rabbitmq-server"},
      dir_.path("rabbitmq.log"));
  server_->wait_until([&] { return dir_.read("rabbitmq.log").find("Server startup complete") != std::string::npos; });
}

void RabbitMq::pause() { suspend(server_->pid()); }
void RabbitMq::resume() { ::kill(server_->pid(), SIGCONT); }

std::string RabbitMq::url() const { return "amqp://agent:br0ker-s3cret@127.0.0.1:" + std::to_string(port_); }

void RabbitMq::put(const std::string& queue, const std::string& text) const {
  const auto file = dir_.write("message", text);
  (void)output_of("amqp-publish -u " + url() + " -p -r '" + queue + "' < " + file);
}

std::string RabbitMq::get(const std::string& queue) const {
  return output_of("amqp-get -u " + url() + " -q '" + queue + "' || true");
}

void RabbitMq::remove(const std::string& queue) const {
  (void)output_of("amqp-delete-queue -u " + url() + " -q '" + queue + "'");
}

void RabbitMq::declare(const std::string& queue) const {
  (void)output_of("amqp-declare-queue -u " + url() + " -d -q '" + queue + "'");
}

}  // namespace sallyport::test
