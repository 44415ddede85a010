#include "shared/tls/engine.h"

#include "shared/tls/ssl_errors.h"

#include <fmt/format.h>
#include <openssl/err.h>

namespace sallyport::tls {
namespace {
constexpr std::size_t kSmallOutput = 8u << 10;
}

struct EngineBio {
  static TlsEngine& engine(BIO* bio) { return *static_cast<TlsEngine*>(BIO_get_data(bio)); }

  static int read(BIO* bio, char* into, std::size_t size, std::size_t* got) {
    auto& self = engine(bio);
    BIO_clear_retry_flags(bio);
    const auto input = self.source_.read_raw({reinterpret_cast<std::byte*>(into), size});
    self.last_input_ = input.status;
    *got = input.size;
    if (input.status == RawInput::Status::would_block) BIO_set_retry_read(bio);
    return input.status == RawInput::Status::data ? 1 : 0;
  }

  static int write(BIO* bio, const char* bytes, std::size_t size, std::size_t* taken) {
    auto& self = engine(bio);
    auto& output = self.output_;
    if (self.reading_) self.answers_ += size;
    if (self.answers_ > kMaxAnswers) return 0;
    const auto span = as_bytes({bytes, size});
    output.insert(output.end(), span.begin(), span.end());
    *taken = size;
    return 1;
  }

  static long control(BIO* bio, int command, long, void*) {
    if (command == BIO_CTRL_FLUSH) return 1;
    return command == BIO_CTRL_EOF && engine(bio).last_input_ == RawInput::Status::end ? 1 : 0;
  }
};

BioMethodOwner make_engine_bio_method() {
  BioMethodOwner method(BIO_meth_new(BIO_TYPE_SOURCE_SINK | BIO_get_new_index(), "sallyport"));
  BIO_meth_set_read_ex(method.get(), EngineBio::read);
  BIO_meth_set_write_ex(method.get(), EngineBio::write);
  BIO_meth_set_ctrl(method.get(), EngineBio::control);
  return method;
}

TlsEngine::TlsEngine(std::shared_ptr<const ContextCore> core, std::string host, RawSource& source)
    : core_(std::move(core)), notes_{*core_, std::move(host)}, source_(source), ssl_(SSL_new(core_->ssl.get())) {
  auto* bio = BIO_new(core_->bio_method.get());
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_app_data(ssl_.get(), &notes_);
  if (core_->role == Role::server) {
    SSL_set_accept_state(ssl_.get());
    return;
  }
  SSL_set_connect_state(ssl_.get());
  const bool address =
      notes_.host.find(':') != std::string::npos || notes_.host.find_first_not_of("0123456789.") == std::string::npos;
  if (!address) SSL_set_tlsext_host_name(ssl_.get(), notes_.host.c_str());
}

TlsEngine::Step TlsEngine::handshake() {
  ERR_clear_error();
  const int outcome = SSL_do_handshake(ssl_.get());
  if (outcome == 1) {
    if (core_->role == Role::server) drop_shown_chain();
    return agreed_on_protocol() ? Step::done : Step::failed;
  }
  if (SSL_get_error(ssl_.get(), outcome) == SSL_ERROR_WANT_READ) return Step::want_input;
  auto why = take_handshake_refusal(last_input_ == RawInput::Status::end || last_input_ == RawInput::Status::failed);
  if (why.reason == reason::kRefusedByPeer) why.error = with_own_validity(std::move(why.error));
  notes_.refuse(why.reason, why.error.code, std::move(why.error.message));
  return Step::failed;
}

// The other side does not say what is wrong with our certificate beyond a word: it may be a clock.
Error TlsEngine::with_own_validity(Error error) const {
  auto* own = SSL_get_certificate(ssl_.get());
  if (error.code != Errc::unauthenticated || own == nullptr) return error;
  error.message += fmt::format("; ours is {}", validity(crypto::Certificate::share(own), core_->clock));
  return error;
}

// What the agent sent above its own certificate: OpenSSL would hold it as long as the session lives.
void TlsEngine::drop_shown_chain() {
  auto* shown = SSL_get_peer_cert_chain(ssl_.get());
  while (shown != nullptr && sk_X509_num(shown) > 0) X509_free(sk_X509_pop(shown));
}

bool TlsEngine::agreed_on_protocol() {
  const unsigned char* name = nullptr;
  unsigned int length = 0;
  SSL_get0_alpn_selected(ssl_.get(), &name, &length);
  const std::string_view selected(reinterpret_cast<const char*>(name), length);
  if (core_->role == Role::carrier_client) {
    notes_.protocol = kCarrierProtocol;
    if (selected.empty()) return true;
  } else if (core_->role != Role::server) {
    notes_.protocol = core_->role == Role::link_client ? kLinkProtocol : kEnrolProtocol;
  }
  if (selected == notes_.protocol) return true;
  notes_.refuse(reason::kAlpn, Errc::unavailable, fmt::format("the other side does not speak {}", notes_.protocol));
  return false;
}

Error TlsEngine::broken(int outcome) {
  const int kind = SSL_get_error(ssl_.get(), outcome);
  if (kind == SSL_ERROR_SYSCALL && ERR_peek_error() == 0) return {Errc::unavailable, "the connection broke"};
  return with_own_validity(take_session_error());
}

Result<TlsEngine::Got> TlsEngine::read(std::span<std::byte> into) {
  ERR_clear_error();
  std::size_t size = 0;
  reading_ = true;
  const int outcome = SSL_read_ex(ssl_.get(), into.data(), into.size(), &size);
  reading_ = false;
  if (answers_ > kMaxAnswers) return fail(Errc::exhausted, "the peer provokes answers that it does not read");
  if (outcome == 1) return Got{Got::Kind::data, size};
  switch (SSL_get_error(ssl_.get(), outcome)) {
    case SSL_ERROR_WANT_READ: return Got{Got::Kind::want_input, 0};
    case SSL_ERROR_ZERO_RETURN: return Got{Got::Kind::closed, 0};
    default: return std::unexpected(broken(outcome));
  }
}

Result<void> TlsEngine::write(std::span<const std::byte> bytes) {
  ERR_clear_error();
  if (output_.capacity() == 0) output_.reserve(bytes.size() + bytes.size() / 64 + 256);
  std::size_t size = 0;
  const int outcome = SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &size);
  if (outcome == 1) return {};
  return std::unexpected(broken(outcome));
}

void TlsEngine::send_close_notify() {
  ERR_clear_error();
  SSL_shutdown(ssl_.get());
  ERR_clear_error();
}

void TlsEngine::sent(std::size_t size) {
  sent_ += size;
  if (sent_ < output_.size()) return;
  // While much goes out its memory is used again; something small is the first sign of rest.
  if (output_.size() < kSmallOutput) output_ = Bytes();
  output_.clear();
  sent_ = 0;
  if (answers_ <= kMaxAnswers) answers_ = 0;
}

Result<Bytes> TlsEngine::export_keying_material(std::string_view label, std::size_t length) const {
  if (SSL_version(ssl_.get()) < TLS1_3_VERSION && SSL_get_extms_support(ssl_.get()) != 1) {
    return fail(Errc::forbidden, "keying material of a TLS 1.2 session without extended master secret is not unique");
  }
  Bytes out(length);
  if (SSL_export_keying_material(ssl_.get(), crypto::writable_octets(out), length, label.data(), label.size(), nullptr,
                                 0, 0) != 1) {
    return crypto::fail_openssl(Errc::internal, "exporting keying material");
  }
  return out;
}

}  // namespace sallyport::tls
