#include "agent/system_keys/sealing_keys.h"

#include "agent/platform/secret_file.h"

#include <fmt/format.h>

#include <charconv>

namespace sallyport::agent {
namespace {

constexpr std::string_view kFormat = "sallyport-sealing-keys: 1\n";
constexpr std::string_view kKeyEnd = "-----END PRIVATE KEY-----\n";

std::unexpected<Error> broken(const std::string& path) {
  return fail(Errc::invalid,
              fmt::format("{} is damaged: remove it and start the agent, which makes a new sealing key; then set its "
                          "system keys again",
                          path));
}

// "key GENERATION TIME-IN-MS" and what follows it.
struct Head {
  sealing::Generation generation = 0;
  std::int64_t made_at = 0;
};
std::optional<Head> read_head(std::string_view line) {
  constexpr std::string_view kKey = "key ";
  if (!line.starts_with(kKey)) return std::nullopt;
  line.remove_prefix(kKey.size());
  Head head;
  const char* const begin = line.data();
  const char* const end = begin + line.size();
  const auto [space, first] = std::from_chars(begin, end, head.generation);
  if (first != std::errc() || space == end || *space != ' ') return std::nullopt;
  const auto [stop, second] = std::from_chars(space + 1, end, head.made_at);
  if (second != std::errc() || stop != end || head.generation == 0) return std::nullopt;
  return head;
}

}  // namespace

Result<SealingKeys> SealingKeys::parse(std::string path, std::string_view text) {
  SealingKeys keys(std::move(path));
  if (!text.starts_with(kFormat)) return broken(keys.path_);
  text.remove_prefix(kFormat.size());
  while (!text.empty()) {
    const auto line = text.find('\n');
    const auto end = text.find(kKeyEnd);
    if (line == std::string_view::npos || end == std::string_view::npos) return broken(keys.path_);
    const auto head = read_head(text.substr(0, line));
    const auto after = end + kKeyEnd.size();
    auto key = crypto::PrivateKey::from_pem(Secret::take(std::string(text.substr(line + 1, after - line - 1))));
    if (!head || !key || keys.keys_.contains(head->generation)) return broken(keys.path_);
    keys.keys_.emplace(head->generation, Key{*std::move(key), from_unix_ms(head->made_at)});
    text.remove_prefix(after);
  }
  if (keys.keys_.empty() || keys.keys_.size() > kMostSealingKeys) return broken(keys.path_);
  return keys;
}

Result<SealingKeys> SealingKeys::load(const std::string& path) {
  SP_TRY(const auto text, platform::read_secret_file(path));
  return parse(path, text.reveal());
}

Result<SealingKeys> SealingKeys::load_or_create(const std::string& path, WallTime now) {
  auto present = load(path);
  if (present || present.error().code != Errc::not_found) return present;
  SealingKeys keys(path);
  SP_CHECK(keys.renew(now));
  return keys;
}

const crypto::PrivateKey* SealingKeys::find(sealing::Generation generation) const {
  const auto found = keys_.find(generation);
  return found == keys_.end() ? nullptr : &found->second.key;
}

Result<void> SealingKeys::renew(WallTime now) {
  const auto next = keys_.empty() ? 1 : newest() + 1;
  SP_TRY(auto key, crypto::PrivateKey::generate());
  keys_.emplace(next, Key{std::move(key), now});
  if (keys_.size() > kMostSealingKeys) keys_.erase(keys_.begin());
  auto saved = save();
  if (!saved) keys_.erase(next);
  return saved;
}

Result<void> SealingKeys::keep_only(const std::set<sealing::Generation>& used) {
  const auto offered = newest();
  const auto gone =
      std::erase_if(keys_, [&](const auto& entry) { return entry.first != offered && !used.contains(entry.first); });
  return gone == 0 ? Result<void>() : save();
}

Result<void> SealingKeys::save() const {
  std::string text(kFormat);
  text.reserve(1024 * (keys_.size() + 1));  // so that no copy of a key stays behind where it was too short
  for (const auto& [generation, key] : keys_) {
    text += fmt::format("key {} {}\n", generation, unix_ms(key.made_at));
    text += key.key.to_pem().reveal();
  }
  const auto whole = Secret::take(text);
  return platform::write_secret_file(path_, whole.reveal());
}

}  // namespace sallyport::agent
