#pragma once

#include "shared/tls/context_core.h"

#include <span>

namespace sallyport::tls {

// Where the engine gets the peer's bytes. `end` = the peer will send no more; `failed` = the connection broke.
struct RawInput {
  enum class Status { data, would_block, end, failed };
  Status status = Status::would_block;
  std::size_t size = 0;
};
class RawSource {
 public:
  virtual ~RawSource() = default;
  virtual RawInput read_raw(std::span<std::byte> into) = 0;
};

inline constexpr std::size_t kWritePiece = 128u << 10;
inline constexpr std::size_t kMaxAnswers = 64u << 10;

// One TLS session as a state machine: pulls from `source`, leaves what must be sent in output(). No IO, no waiting. Not
// movable (OpenSSL keeps its address); `source` and the context outlive it.
class TlsEngine {
 public:
  TlsEngine(std::shared_ptr<const ContextCore> core, std::string host, RawSource& source);
  TlsEngine(const TlsEngine&) = delete;
  TlsEngine& operator=(const TlsEngine&) = delete;

  enum class Step { done, want_input, failed };
  Step handshake();  // failed: refusal() says why; output() may hold an alert
  Refusal refusal() const { return notes_.refusal.value_or(Refusal{reason::kProtocol, {}}); }

  struct Got {
    enum class Kind { data, closed, want_input };
    Kind kind = Kind::want_input;
    std::size_t size = 0;
  };
  // closed: the peer's close_notify. Errc::exhausted: the peer has provoked kMaxAnswers bytes of answers (to key
  // updates) since output() was empty last, whoever is to flush them.
  Result<Got> read(std::span<std::byte> into);
  Result<void> write(std::span<const std::byte> bytes);  // at most kWritePiece at a time
  void send_close_notify();

  std::span<const std::byte> output() const { return std::span(output_).subspan(sent_); }
  void sent(std::size_t size);  // drops that much of output()

  std::string_view version() const { return SSL_get_version(ssl_.get()); }
  std::string_view cipher() const { return SSL_get_cipher_name(ssl_.get()); }
  HandshakeNotes& notes() { return notes_; }
  Result<Bytes> export_keying_material(std::string_view label, std::size_t length) const;

 private:
  friend struct EngineBio;
  Error broken(int outcome);
  Error with_own_validity(Error error) const;
  bool agreed_on_protocol();
  void drop_shown_chain();

  std::shared_ptr<const ContextCore> core_;
  HandshakeNotes notes_;
  RawSource& source_;
  RawInput::Status last_input_ = RawInput::Status::would_block;
  Bytes output_;
  std::size_t sent_ = 0;
  std::size_t answers_ = 0;  // bytes of output_ that read() has put there
  bool reading_ = false;
  SslOwner ssl_;
};

// The BIO under every engine: reads go to its RawSource, writes into its output.
BioMethodOwner make_engine_bio_method();

}  // namespace sallyport::tls
