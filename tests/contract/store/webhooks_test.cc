#include "tests/contract/store/world.h"

using namespace sallyport;
using namespace sallyport::test;

namespace {

store::Webhook webhook_of(World& world, const Tenant& tenant) {
  store::Webhook webhook;
  webhook.id = world.id<WebhookId>("whk_");
  webhook.org = tenant.org;
  webhook.recipe = tenant.recipe;
  webhook.name = "shop";
  webhook.proof = "signature";
  webhook.signature_header = "X-Hub-Signature-256";
  webhook.sealed_secrets = bytes_of("sealed");
  webhook.secret_set_at = at_ms(3);
  webhook.created_by = tenant.owner;
  webhook.created_at = at_ms(2);
  return webhook;
}

}  // namespace

STORE_TEST_CASE("webhooks: what was added reads back, also by its id alone", "[store][webhooks]") {
  auto& webhooks = world.stores.webhooks;
  const auto& ours = world.ours;
  const auto added = webhook_of(world, ours);
  must(co_await webhooks.add(ours.org, added));
  for (const auto& found :
       {must(co_await webhooks.find(ours.org, added.id)), must(co_await webhooks.find_for_delivery(added.id)),
        must(co_await webhooks.list(ours.org, {})).items.at(0)}) {
    CHECK(found.id == added.id);
    CHECK(found.org == ours.org);
    CHECK(found.recipe == ours.recipe);
    CHECK(found.name == "shop");
    CHECK(found.proof == "signature");
    CHECK(found.signature_header == "X-Hub-Signature-256");
    CHECK(found.sealed_secrets == bytes_of("sealed"));
    CHECK(found.secret_set_at == at_ms(3));
    CHECK_FALSE(found.old_secret_until);
    CHECK(found.created_by == ours.owner);
    CHECK(found.created_at == at_ms(2));
  }
}

STORE_TEST_CASE("webhooks: organisations do not see each other's", "[store][webhooks][tenancy]") {
  auto& webhooks = world.stores.webhooks;
  const auto& ours = world.ours;
  const auto& theirs = world.theirs;
  const auto added = webhook_of(world, ours);
  must(co_await webhooks.add(ours.org, added));
  CHECK(refusal(co_await webhooks.find(theirs.org, added.id)) == Errc::not_found);
  CHECK(must(co_await webhooks.list(theirs.org, {})).items.empty());
  CHECK(refusal(co_await webhooks.remove(theirs.org, added.id)) == Errc::not_found);
  CHECK(refusal(co_await webhooks.set_secrets(theirs.org, added.id,
                                              {bytes_of("sealed"), bytes_of("x"), at_ms(9), {}})) == Errc::not_found);
  auto foreign = webhook_of(world, theirs);
  foreign.recipe = ours.recipe;
  CHECK(refusal(co_await webhooks.add(theirs.org, foreign)) == Errc::not_found);
  CHECK(must(co_await webhooks.find(ours.org, added.id)).sealed_secrets == bytes_of("sealed"));
}

STORE_TEST_CASE("webhooks: of two who change a secret the second is told", "[store][webhooks]") {
  auto& webhooks = world.stores.webhooks;
  const OrgId org = world.ours.org;
  const auto added = webhook_of(world, world.ours);
  must(co_await webhooks.add(org, added));
  const auto changed =
      must(co_await webhooks.set_secrets(org, added.id, {bytes_of("sealed"), bytes_of("second"), at_ms(9), at_ms(50)}));
  CHECK(changed.sealed_secrets == bytes_of("second"));
  CHECK(changed.secret_set_at == at_ms(9));
  CHECK(changed.old_secret_until == at_ms(50));
  CHECK(refusal(co_await webhooks.set_secrets(org, added.id, {bytes_of("sealed"), bytes_of("third"), at_ms(9), {}})) ==
        Errc::conflict);
  CHECK(must(co_await webhooks.find(org, added.id)).sealed_secrets == bytes_of("second"));
}

STORE_TEST_CASE("webhooks: they go with their recipe, and none is added to one that is gone", "[store][webhooks]") {
  auto& webhooks = world.stores.webhooks;
  const auto& ours = world.ours;
  const auto first = webhook_of(world, ours), second = webhook_of(world, ours);
  must(co_await webhooks.add(ours.org, first));
  must(co_await webhooks.add(ours.org, second));
  must(co_await webhooks.remove(ours.org, first.id));
  CHECK(refusal(co_await webhooks.find_for_delivery(first.id)) == Errc::not_found);
  must(co_await world.stores.recipes.remove(ours.org, ours.recipe, {at_ms(10)}));
  CHECK(refusal(co_await webhooks.find_for_delivery(second.id)) == Errc::not_found);
  CHECK(refusal(co_await webhooks.add(ours.org, second)) == Errc::conflict);
}
