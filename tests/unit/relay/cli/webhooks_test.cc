#include "tests/unit/relay/cli/cli_site.h"

#include <catch2/catch.hpp>

// `sallyport webhook ...`.
using namespace sallyport;
using namespace sallyport::cli;
using namespace sallyport::test;
using domain::Role;

TEST_CASE("a webhook is made with a secret that is printed once, listed, rotated and removed", "[cli][webhooks]") {
  CliSite site;
  site.login(Role::editor);
  site.settle_recipe("orders");
  const auto made = site.run({"webhook", "create", "orders", "--name", "shop"});
  INFO(made.out << made.err);
  REQUIRE(made.code == kDone);
  const auto id = text_of(first_of(site.json({"webhook", "list"})), "id");
  CHECK_THAT(made.out, Catch::Contains("/hooks/" + id) && Catch::Contains("orders") && Catch::Contains("whsec_"));

  const auto listed = site.run({"webhook", "list"}), shown = site.run({"webhook", "show", id});
  CHECK_THAT(listed.out, Catch::Contains("orders") && Catch::Contains("shop"));
  CHECK_THAT(listed.out + shown.out, !Catch::Contains("whsec_"));

  const auto rotated = site.json({"webhook", "rotate", id, "--overlap", "1h"});
  CHECK_THAT(text_of(rotated, "secret"), Catch::StartsWith("whsec_"));
  CHECK_FALSE(rotated.find("old_secret_until")->is_null());
  CHECK(site.run({"webhook", "remove", id}).code == kDone);
  const auto gone = site.run({"webhook", "rotate", id});
  CHECK(gone.code == kNotFound);
  CHECK_THAT(gone.err, Catch::Contains("see: sallyport webhook list"));
}

TEST_CASE("a sender's own secret comes from a file or standard input, and is in no answer", "[cli][webhooks]") {
  CliSite site;
  site.login(Role::editor);
  site.settle_recipe("orders");
  const auto file = site.folder.write("secret", "canary-of-the-sender\n");
  for (const auto& [from, in] :
       std::vector<std::pair<std::string, std::string>>{{file, ""}, {"-", "canary-of-the-sender\n"}}) {
    const auto made =
        site.run({"webhook", "create", "orders", "--proof", "signature", "--secret", from, "-o", "json"}, in);
    INFO(made.out << made.err);
    CHECK(made.code == kDone);
    CHECK_THAT(made.out, Catch::Contains("X-Hub-Signature-256") && !Catch::Contains("canary"));
  }
  const auto refused = site.run({"webhook", "create", "orders", "--secret", "-"}, "canary\n");
  CHECK(refused.code == kFailed);
  CHECK_THAT(refused.err, Catch::Contains("--secret") && !Catch::Contains("canary"));
}
