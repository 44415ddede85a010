#include "relay/identity/root_rotation.h"

#include "tests/unit/relay/identity/world.h"

#include <fstream>

using namespace sallyport;
using namespace sallyport::test;
namespace fs = std::filesystem;

namespace {

// Breaks off before one of the changes.
class CutShort final : public identity::FileChanges {
 public:
  explicit CutShort(int after) : left_(after) {}
  Result<void> replace(const fs::path& path, std::string_view content, identity::Readers readers) override {
    return may_go_on() ? FileChanges::replace(path, content, readers) : planted();
  }
  Result<void> rename(const fs::path& from, const fs::path& to) override {
    return may_go_on() ? FileChanges::rename(from, to) : planted();
  }
  Result<void> remove(const fs::path& path) override { return may_go_on() ? FileChanges::remove(path) : planted(); }

 private:
  bool may_go_on() { return left_-- > 0; }
  static Result<void> planted() { return fail(Errc::unavailable, "planted"); }
  int left_;
};

struct Place {
  Place() { must(identity::create_deployment(ca, {"relay.test", {"relay.test", "10.0.0.7"}}, clock)); }
  identity::Deployment read() const { return must(identity::load_deployment(ca)); }
  bool has(std::string_view file) const { return fs::exists(ca / file); }
  void prepare() { must(identity::prepare_root(ca, clock, changes)); }
  void switch_over() { must(identity::switch_root(ca, clock, changes)); }
  void retire() { must(identity::retire_root(ca, changes)); }

  TempFolder folder;
  MovableClock clock;
  fs::path ca = folder.path() / "ca";
  identity::FileChanges changes;
};

template <class T>
bool says(const Result<T>& result, Errc code, std::string_view fragment) {
  return !result && result.error().code == code && result.error().message.find(fragment) != std::string::npos;
}

// Whatever a step that broke off left behind: it loads, its parts belong together, and it can sign.
void check_whole(const identity::Deployment& deployment) {
  REQUIRE(deployment.root_key);
  CHECK(deployment.root_key->public_key_der() == deployment.root.public_key_der());
  CHECK(deployment.server.certificate.signed_by(deployment.root));
  CHECK(deployment.server.key.public_key_der() == deployment.server.certificate.public_key_der());
  if (deployment.predecessor) CHECK(crypto::check_succession(*deployment.predecessor, deployment.root));
}

// Lets `step` break off before each of its changes in turn; each time the directory loads, settles into the same, and
// the step can be done to the end. How many changes there were.
int cut_at_every_change(Place& place, const std::function<Result<void>(identity::FileChanges&)>& step,
                        const std::function<bool(const identity::Deployment&)>& is_done) {
  const auto before = place.folder.path() / "before";
  fs::copy(place.ca, before, fs::copy_options::recursive);
  for (int at = 0;; ++at) {
    INFO("cut before change " << at);
    fs::remove_all(place.ca);
    fs::copy(before, place.ca, fs::copy_options::recursive);
    CutShort cut(at);
    const bool whole = step(cut).has_value();
    const auto left = place.read();
    check_whole(left);
    const bool done = is_done(left);
    must(identity::settle_deployment(place.ca));
    const auto settled = place.read();
    check_whole(settled);
    CHECK(settled.root == left.root);
    CHECK(settled.predecessor.has_value() == left.predecessor.has_value());
    CHECK(is_done(settled) == done);
    if (!done) {
      must(step(place.changes));
      CHECK(is_done(place.read()));
    }
    if (whole) {
      CHECK(done);
      return at;
    }
  }
}

}  // namespace

TEST_CASE("a root is prepared, switched to and retired, and agents of both see a chain in between",
          "[identity][root]") {
  Place place;
  const auto first = place.read();
  place.prepare();
  auto now = place.read();
  CHECK(now.root == first.root);
  REQUIRE(now.standby);
  CHECK(now.standby->common_name() == "Sallyport root relay.test 2");
  CHECK_FALSE(now.predecessor);
  CHECK(now.server.certificate == first.server.certificate);

  place.switch_over();
  const auto standby = *now.standby;
  now = place.read();
  CHECK(now.root == standby);
  CHECK_FALSE(now.standby);
  REQUIRE(now.predecessor);
  CHECK(now.predecessor->root == first.root);
  CHECK(now.server.certificate.alt_names() == first.server.certificate.alt_names());
  check_whole(now);
  CHECK(place.has("old-root.key"));
  for (const auto* gone : {"next-root.pem", "next-root.key", "next-root.cross.pem", "next-server.pem"})
    CHECK_FALSE(place.has(gone));

  place.retire();
  now = place.read();
  CHECK(now.root == standby);
  CHECK_FALSE(now.predecessor);
  CHECK_FALSE(place.has("cross.pem"));
  check_whole(now);

  place.prepare();
  CHECK(place.read().standby->common_name() == "Sallyport root relay.test 3");
}

TEST_CASE("the web edge shows the cross certificate from the switch until the retirement", "[identity][root]") {
  Place place;
  const auto shown = [&] {
    std::ifstream file(place.ca / "server.pem");
    const std::string text((std::istreambuf_iterator<char>(file)), {});
    return must(crypto::parse_pem_bundle(text, 3)).size();
  };
  CHECK(shown() == 1);
  place.prepare();
  CHECK(shown() == 1);
  place.switch_over();
  CHECK(shown() == 2);
  must(identity::renew_server_certificate(place.ca, place.read(), {}, place.clock));
  CHECK(shown() == 2);
  place.retire();
  CHECK(shown() == 1);
}

TEST_CASE("steps out of order are refused with what to do", "[identity][root]") {
  Place place;
  const auto prepare = [&] { return identity::prepare_root(place.ca, place.clock, place.changes); };
  const auto switch_over = [&] { return identity::switch_root(place.ca, place.clock, place.changes); };
  const auto retire = [&] { return identity::retire_root(place.ca, place.changes); };
  CHECK(says(switch_over(), Errc::conflict, "prepare a root first"));
  CHECK(says(retire(), Errc::conflict, "no old root"));
  place.prepare();
  CHECK(says(prepare(), Errc::conflict, "prepared already"));
  CHECK(says(retire(), Errc::conflict, "no old root"));
  place.switch_over();
  CHECK(says(prepare(), Errc::conflict, "retire the old root before"));
  CHECK(says(switch_over(), Errc::conflict, "took place already"));
  place.retire();
  CHECK(says(retire(), Errc::conflict, "no old root"));
}

TEST_CASE("a key that is offline is asked for by its name", "[identity][root]") {
  Place place;
  fs::rename(place.ca / "root.key", place.folder.path() / "stick");
  CHECK(says(identity::prepare_root(place.ca, place.clock, place.changes), Errc::unavailable, "put root.key back"));
  fs::rename(place.folder.path() / "stick", place.ca / "root.key");
  place.prepare();
  fs::remove(place.ca / "root.key");  // the present root's is not needed any more
  fs::rename(place.ca / "next-root.key", place.folder.path() / "stick");
  CHECK(says(identity::switch_root(place.ca, place.clock, place.changes), Errc::unavailable, "put next-root.key back"));
  fs::rename(place.folder.path() / "stick", place.ca / "next-root.key");
  place.switch_over();
  check_whole(place.read());
}

TEST_CASE("a standby that does not fit is not switched to, and stops no relay", "[identity][root]") {
  Place place, other;
  place.prepare();
  other.prepare();
  for (const auto* file : {"next-root.key", "next-root.cross.pem", "next-root.pem"}) {
    INFO(file);
    const auto kept = place.folder.path() / "kept";
    fs::copy_file(place.ca / file, kept, fs::copy_options::overwrite_existing);
    fs::copy_file(other.ca / file, place.ca / file, fs::copy_options::overwrite_existing);
    CHECK(says(identity::switch_root(place.ca, place.clock, place.changes), Errc::invalid, "next-root"));
    check_whole(place.read());
    fs::copy_file(kept, place.ca / file, fs::copy_options::overwrite_existing);
  }
  std::ofstream(place.ca / "next-root.pem") << "garbage";
  check_whole(place.read());
  CHECK_FALSE(place.read().standby);
}

TEST_CASE("after a switch, damaged or foreign files of the old root are refused", "[identity][root]") {
  Place place, other;
  place.prepare();
  place.switch_over();
  other.prepare();
  other.switch_over();
  for (const auto* file : {"old-root.pem", "cross.pem"}) {
    INFO(file);
    const auto kept = place.folder.path() / "kept";
    fs::copy_file(place.ca / file, kept, fs::copy_options::overwrite_existing);
    fs::copy_file(other.ca / file, place.ca / file, fs::copy_options::overwrite_existing);
    CHECK(says(identity::load_deployment(place.ca), Errc::invalid, "cross.pem"));
    fs::copy_file(kept, place.ca / file, fs::copy_options::overwrite_existing);
  }
  fs::remove(place.ca / "cross.pem");
  CHECK(says(identity::load_deployment(place.ca), Errc::invalid, "cross.pem"));
}

TEST_CASE("each step that is cut short before any of its changes leaves a directory that loads", "[identity][root]") {
  Place place;
  const auto root = place.read().root;
  const int prepared = cut_at_every_change(
      place,
      [&](auto& changes) -> Result<void> {
        SP_CHECK(identity::prepare_root(place.ca, place.clock, changes));
        return {};
      },
      [](const auto& now) { return now.standby.has_value(); });
  CHECK(prepared == 3);
  fs::remove_all(place.folder.path() / "before");
  const int switched = cut_at_every_change(
      place, [&](auto& changes) { return identity::switch_root(place.ca, place.clock, changes); },
      [&](const auto& now) { return now.root != root; });
  CHECK(switched == 9);
  fs::remove_all(place.folder.path() / "before");
  const int retired = cut_at_every_change(
      place, [&](auto& changes) { return identity::retire_root(place.ca, changes); },
      [](const auto& now) { return !now.predecessor; });
  CHECK(retired == 3);
}

TEST_CASE("a server certificate of the old root is not written over that of the new one", "[identity][root]") {
  Place place;
  place.prepare();
  const auto stale = place.read();
  place.switch_over();
  CHECK(says(identity::renew_server_certificate(place.ca, stale, {}, place.clock), Errc::conflict, "taken over"));
  check_whole(place.read());
}
