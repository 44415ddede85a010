#include "agent/connectors/certificate/shown.h"
#include "agent/connectors/listen/listen_actions.h"
#include "agent/connectors/listen/proof.h"
#include "agent/platform/text_file.h"
#include "shared/http/tls_files.h"

#include <fmt/format.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

namespace sallyport::connectors::listen {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using findings::Finding;
using findings::Findings;
using findings::Verdict;

class ListenTest final : public ConnectionTest {
 public:
  explicit ListenTest(Site site) : site_(site) {}
  std::string_view kind() const override { return "http-listen"; }

  Findings run(const policy::Connection& connection, SteadyTime) override {
    const auto& settings = *connection.listen();
    Findings findings;
    if (settings.has_tls) findings.push_back(own_certificate(settings));
    if (settings.has_tls && findings.back().verdict == Verdict::bad) return findings;
    findings.push_back(port(settings));
    if (findings.back().verdict == Verdict::bad) return findings;
    for (const auto& sender : settings.senders) {
      if (sender.needs_secret()) findings.push_back(login(sender));
    }
    findings.push_back(permission(connection));
    return findings;
  }

 private:
  Finding own_certificate(const policy::ListenConnection& settings) const {
    const char* advice = "correct `certificate_file`, `key_file` or `client_ca_file` in connections.yaml";
    if (const auto key = site_.vault.resolve(settings.key); !key)
      return {"tls", Verdict::bad, key.error().message, advice};
    const auto good = http::check({settings.certificate_file, settings.key.where, settings.client_ca_file});
    if (!good) return {"tls", Verdict::bad, good.error().message, advice};
    auto text = fmt::format("{} and its key can be used", settings.certificate_file);
    const auto pem = platform::read_text_file(settings.certificate_file);
    const auto chain = pem ? crypto::parse_pem_bundle(*pem) : std::unexpected(pem.error());
    if (chain) text += ": " + certificate::describe(chain->front());
    return {"tls", Verdict::good, std::move(text)};
  }

  static Finding port(const policy::ListenConnection& settings) {
    asio::io_context loop;
    tcp::acceptor acceptor(loop);
    const tcp::endpoint where(asio::ip::make_address(settings.address), settings.port);
    const auto shown = fmt::format("{} port {}", settings.address, settings.port);
    boost::system::error_code failed;
    acceptor.open(where.protocol(), failed);
    if (!failed) acceptor.set_option(tcp::acceptor::reuse_address(true), failed);
    if (!failed) acceptor.bind(where, failed);
    if (!failed) acceptor.listen(1, failed);
    if (!failed) return {"tcp", Verdict::good, fmt::format("{} is free", shown)};
    if (failed == asio::error::address_in_use)
      return {"tcp", Verdict::note, fmt::format("something listens on {} already", shown),
              "it is this agent, when it runs and a recipe listens there; else give the connection another port"};
    return {"tcp", Verdict::bad, fmt::format("{}: {}", shown, failed.message()),
            "`address` has to be one of this machine's, and ports below 1024 need a right of their own"};
  }

  Finding login(const policy::ListenSender& sender) const {
    for (const auto* ref : {&sender.secret, &sender.other_secret}) {
      if (!*ref) continue;
      const auto secret = site_.vault.resolve(*ref);
      if (!secret) return {"login", Verdict::bad, fmt::format("{}: {}", sender.path, secret.error().message)};
      if (secret->size() < kShortestSecret)
        return {"login", Verdict::bad,
                fmt::format("{}: the secret has less than {} bytes", sender.path, kShortestSecret),
                "make a long one, at random, and give it to the sender"};
    }
    return {"login", Verdict::good, fmt::format("the secret of {} can be read", sender.path)};
  }

  Finding permission(const policy::Connection& connection) const {
    const auto rule = site_.policy.find_listen(connection.name);
    if (rule && !(*rule)->entries.empty())
      return {"permission", Verdict::good, fmt::format("recipes may listen there ({})", (*rule)->rule)};
    return {"permission", Verdict::note, "policy.yaml lets no recipe listen there: the port stays closed",
            fmt::format("add connections.{}.listen to policy.yaml", connection.name)};
  }

  Site site_;
};

}  // namespace

std::unique_ptr<ConnectionTest> make_listen_test(Site site) { return std::make_unique<ListenTest>(site); }

}  // namespace sallyport::connectors::listen
