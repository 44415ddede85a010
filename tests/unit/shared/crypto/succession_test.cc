#include "shared/crypto/certificate_draft.h"
#include "tests/support/pki.h"

#include <catch2/catch.hpp>

#include <array>

using namespace sallyport;
using namespace sallyport::test;
using std::chrono::days;

namespace {

constexpr std::array kSigning{crypto::kCertificateSigningBit, crypto::kCrlSigningBit};

struct Roots {
  MovableClock clock;
  crypto::Authority old_root = must(crypto::make_root("Root", clock));
  crypto::Authority root = must(crypto::make_root("Root 2", clock));
  crypto::Authority stranger = must(crypto::make_root("Root 2", clock));

  // A cross certificate as somebody might make one.
  struct Bent {
    std::string name = "Root 2";
    const crypto::Authority* of = nullptr;
    const crypto::Authority* by = nullptr;
    std::optional<long> path_length = 0;
    bool ca = true;
  };
  crypto::Certificate cross(const Bent& bent) {
    crypto::CertificateDraft draft;
    const auto& of = bent.of ? *bent.of : root;
    const auto& by = bent.by ? *bent.by : old_root;
    draft.subject("", bent.name).valid(clock.wall() - days(1), clock.wall() + days(100)).public_key(of.key.native());
    bent.ca ? draft.authority(bent.path_length) : draft.end_entity();
    draft.key_usage(kSigning);
    return must(draft.sign(by.key.native(), &by.certificate));
  }
  Result<void> judge(const Bent& bent) {
    return crypto::check_succession({old_root.certificate, cross(bent)}, root.certificate, clock.wall());
  }
};

}  // namespace

TEST_CASE("a root's word for its successor is a CA certificate of the successor's name and key", "[crypto]") {
  Roots roots;
  const auto cross = must(crypto::make_cross_certificate(roots.old_root, roots.root.certificate, roots.clock));
  CHECK(cross.subject() == roots.root.certificate.subject());
  CHECK(cross.public_key_der() == roots.root.certificate.public_key_der());
  CHECK(cross.signed_by(roots.old_root.certificate));
  REQUIRE(cross.ca());
  CHECK(cross.ca()->path_length == 0);
  CHECK(cross.not_after() <= roots.old_root.certificate.not_after());
  const auto server = must(crypto::make_server_certificate(roots.root, {"relay.test"}, roots.clock));
  CHECK(server.certificate.signed_by(cross));
  CHECK(crypto::check_succession({roots.old_root.certificate, cross}, roots.root.certificate, roots.clock.wall()));
}

TEST_CASE("the word of a root ends with it", "[crypto]") {
  Roots roots;
  roots.clock.advance(days(3000));
  const auto later = must(crypto::make_root("Root 3", roots.clock));
  const auto cross = must(crypto::make_cross_certificate(roots.old_root, later.certificate, roots.clock));
  CHECK(cross.not_after() == roots.old_root.certificate.not_after());
  roots.clock.advance(days(1000));
  const auto judged =
      crypto::check_succession({roots.old_root.certificate, cross}, later.certificate, roots.clock.wall());
  REQUIRE_FALSE(judged);
  CHECK(judged.error().message.find("expired") != std::string::npos);
  CHECK(crypto::check_succession({roots.old_root.certificate, cross}, later.certificate));
  CHECK_FALSE(crypto::make_cross_certificate(roots.old_root, later.certificate, roots.clock));
}

TEST_CASE("a cross certificate that is not exactly the old root's word for the new one is refused", "[crypto]") {
  Roots roots;
  CHECK(roots.judge({}));
  struct Row {
    std::string_view fragment;
    Roots::Bent bent;
  };
  const Row rows[] = {
      {"another key", {.of = &roots.stranger}},
      {"another key", {.of = &roots.old_root}},
      {"another name", {.name = "Root 9"}},
      {"not signed by the old root", {.by = &roots.stranger}},
      {"not signed by the old root", {.by = &roots.root}},
      {"path length", {.path_length = std::nullopt}},
      {"path length", {.path_length = 1}},
      {"path length", {.ca = false}},
  };
  for (const auto& row : rows) {
    INFO(row.fragment);
    const auto judged = roots.judge(row.bent);
    REQUIRE_FALSE(judged);
    CHECK(judged.error().code == Errc::invalid);
    CHECK(judged.error().message.find(row.fragment) != std::string::npos);
  }
  const auto early = crypto::check_succession({roots.old_root.certificate, roots.cross({})}, roots.root.certificate,
                                              roots.clock.wall() - days(2));
  REQUIRE_FALSE(early);
  CHECK(early.error().message.find("not valid yet") != std::string::npos);
}

TEST_CASE("nobody succeeds under the same name, with the same key, or without being a root", "[crypto]") {
  Roots roots;
  const auto namesake = must(crypto::make_root("Root", roots.clock));
  const auto refused = [&](const crypto::Certificate& root) {
    return !crypto::make_cross_certificate(roots.old_root, root, roots.clock);
  };
  CHECK(refused(namesake.certificate));
  CHECK(refused(roots.old_root.certificate));
  CHECK(refused(must(crypto::make_server_certificate(roots.root, {"relay.test"}, roots.clock)).certificate));
  crypto::CertificateDraft draft;
  draft.subject("", "Root 7").valid(roots.clock.wall(), roots.clock.wall() + days(1));
  draft.public_key(roots.old_root.key.native()).authority(1).key_usage(kSigning);
  CHECK(refused(must(draft.sign(roots.old_root.key.native(), nullptr))));
  CHECK_FALSE(refused(roots.root.certificate));
}
